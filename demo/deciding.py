"""The demo's operator: looks at what a case is held for, and decides at the command line, as a person would."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from demo.agent_process import Agent
from demo.patients import DemoPatient

OPERATOR: Final = "Demo Operator"


class Operator:
    """Decides about each patient once."""

    def __init__(self, agent: Agent, patients: Sequence[DemoPatient]) -> None:
        self._agent = agent
        self._left = [patient for patient in patients if patient.story.ruling]

    @property
    def has_nothing_left(self) -> bool:
        """Whether all was decided that the stories want decided."""
        return not self._left

    def look(self, cases: Sequence[Mapping[str, Any]]) -> None:
        """Decide about the held cases of those of whom every image is there."""
        for case in [case for case in cases if case["state"] == "held"]:
            for patient in [p for p in self._left if p.key == (case["issuer"], case["patient_id"])]:
                if set(patient.sent) <= set(self._agent.ends()):
                    self._left.remove(patient)
                    self._agent.resolve(case["id"], patient.story.ruling, self._about(patient, case["id"]), OPERATOR)

    def _about(self, patient: DemoPatient, case_id: int) -> str:
        """Name the statement that is another woman's; empty where the last one is meant."""
        foreign = {datetime.strptime(ds.PatientBirthDate, "%Y%m%d").date().isoformat() for ds in patient.foreign}
        lines = self._agent.story(case_id)["held_for"]
        return next((str(line["about"]) for line in lines if any(day in line["says"] for day in foreign)), "")
