"""Versions that wait for a person, and what contradicts in them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Decision
from agent.state.cases import Cases


class Holds(Cases):
    """What only a person can decide."""

    def hold(self, case: Case, conflicts: Sequence[Conflict], at: datetime) -> Case:
        """Keep a version for a person: CONFLICT_FOUND, or the new list of conflicts of one that is HELD."""
        reason = " ".join(one.sentence for one in conflicts)
        if case.state is CaseState.HELD:
            held = self.postpone(case, case.due_at, reason)
        else:
            held = self.apply(case, CaseEvent.CONFLICT_FOUND, at, reason=reason)
        self._keep(case.id, "conflicts", {"conflicts": [asdict(one) for one in conflicts]})
        return held

    def conflicts(self, case_id: int) -> Sequence[Conflict]:
        """What `hold` kept last."""
        kept = self._document(case_id, "conflicts").get("conflicts", ())
        return [Conflict(ConflictKind(c["kind"]), tuple(c["subjects"]), c["sentence"]) for c in kept]

    def decision(self, conflict_id: str) -> Decision | None:
        """What was decided about a conflict: nothing, while no command decides."""
        return None
