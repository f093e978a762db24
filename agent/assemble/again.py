"""Answered versions, looked at again: whether their answer still stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.assemble.basis import basis
from agent.assemble.episode import ANOTHER, Opener, diagnosed_on, is_of_another, of_episode
from agent.assemble.judging import QuestionScope
from agent.assemble.seen import Seen
from agent.core.case import Case, CaseEvent
from agent.core.eligibility import Eligibility, before_outcome
from agent.core.ports import Unit

NEWS: Final = "what is known changed after the result"
ARISEN: Final = "what surgery found asks this question"


@dataclass(frozen=True)
class Again:
    """Opens the next version, or the next case, where what became known since changes an answer."""

    scopes: Mapping[str, QuestionScope]  # a question without one is not asked here any more
    episode: timedelta
    opener: Opener

    def ask(self, unit: Unit, seen: Seen, eligibility: Eligibility, later: datetime) -> Case:
        """Look at an answered version; it stays as it is, and is looked at again while its answer stands."""
        case, standing = seen.case, seen.standing
        if not standing.stored:  # all its images turned out to be another patient's: a person has seen to that
            return unit.postpone(case, None, case.reason)
        unsaid = not seen.facts_known or seen.facts is None  # what nobody says takes nothing back
        if unsaid or case.question not in self.scopes or "basis" not in standing.kept:
            return unit.postpone(case, later, case.reason)
        if is_of_another(eligibility, diagnosed_on(standing.kept), self.episode):
            return self._open_case(unit, seen, eligibility, later)
        if self.says_the_same(seen, eligibility, standing.kept):
            return unit.postpone(case, later, case.reason)
        opened = unit.open_version(standing.newest, self.opener.now())
        unit.apply(opened, CaseEvent.FACTS_CHANGED, self.opener.now(), reason=NEWS, due_at=self.opener.now())
        return unit.postpone(case, later, case.reason)  # its answer stands again where that one is withdrawn

    def says_the_same(self, seen: Seen, eligibility: Eligibility, answered: Mapping[str, Any]) -> bool:
        """Whether an answer would be the same now; that its outcome is known by now does not change it."""
        would_be = {self.basis(seen, eligibility), self.basis(seen, before_outcome(eligibility))}
        return answered.get("basis") in would_be

    def basis(self, seen: Seen, eligibility: Eligibility) -> str:
        """Return what an answer would rest on now."""
        question = seen.case.question
        scope = self.scopes.get(question, QuestionScope(question, frozenset()))
        return basis(seen.case.patient, eligibility, seen.facts, seen.standing.stored, scope)

    def _open_case(self, unit: Unit, seen: Seen, eligibility: Eligibility, later: datetime) -> Case:
        """The diagnosis is another cancer's; without an image of it there is nothing to ask about yet."""
        case = seen.case
        images = of_episode(eligibility, seen.standing.stored)
        if not images:
            return unit.postpone(case, later, case.reason)
        self.opener.open(unit, case.question, case.patient, images, ANOTHER)
        return unit.postpone(case, None, case.reason)

    def arise(self, unit: Unit, seen: Seen, question: str, eligibility: Eligibility) -> None:
        """Open the case of a question that facts ask, with the images that are here; once an episode."""
        newest = unit.newest_case(question, seen.case.patient)
        if newest is not None:
            before = diagnosed_on(unit.findings(newest.id))
            if not is_of_another(eligibility, before, self.episode):
                return
        self.opener.open(unit, question, seen.case.patient, of_episode(eligibility, seen.standing.stored), ARISEN)
