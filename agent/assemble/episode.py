"""Where one episode of a patient ends and another begins; and cases that are opened by what is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from agent.core.case import Case, CaseEvent
from agent.core.eligibility import Eligibility
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance, Unit

ANOTHER: Final = "another cancer was diagnosed since: a case of its own asks about it"


@dataclass(frozen=True)
class Opener:
    """Opens a patient's case with images that are here already."""

    now: Callable[[], datetime]
    new_case_uuid: Callable[[], UUID]

    def open(
        self, unit: Unit, question: str, patient: PatientKey, stored: Sequence[StoredInstance], reason: str
    ) -> Case:
        """Open version 1 of a new case, which is looked at at once."""
        case = unit.open_case(question, patient, self.now(), self.new_case_uuid())
        for one in stored:
            unit.link(case, one)  # its record has its end, and its bytes their place, already
        return unit.apply(case, CaseEvent.FACTS_CHANGED, self.now(), reason=reason, due_at=self.now())


def diagnosed_on(findings: Mapping[str, Any]) -> date | None:
    """Return the day of the diagnosis that a version was about, as far as its findings say."""
    day = findings.get("eligibility", {}).get("diagnosed_on")
    return date.fromisoformat(day) if day else None


def is_of_another(eligibility: Eligibility, before: date | None, episode: timedelta) -> bool:
    """Whether the diagnosis is so much later than the one before that it is another cancer's."""
    return eligibility.diagnosed_on is not None and before is not None and eligibility.diagnosed_on - before > episode


def of_episode(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> list[StoredInstance]:
    """Return the images that were taken in the episode, before or after treatment."""
    earliest, latest = eligibility.earliest, eligibility.latest
    return [
        one
        for one in stored
        if (day := one.instance.acquired_on)
        and (earliest is None or day >= earliest)
        and (latest is None or day <= latest)
    ]
