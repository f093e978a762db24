"""What the rooms ask of the state about radiologists' reports, and about versions that wait for one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.core.case import Case
from agent.core.patient import PatientKey
from agent.core.reads import IndexStudy, Read


class ReadUnit(Protocol):
    """The part of a transaction that is about reports of radiologists."""

    def note_read(self, read: Read) -> bool:
        """Note what is said of a report; return whether it was new. What is repeated keeps its first place."""

    def reads(self, study_instance_uid: str, accession_number: str) -> Sequence[Read]:
        """What names a study, or its accession number alone, and whatever takes one of these reports back."""

    def wait_for_read(self, case: Case, index: IndexStudy) -> None:
        """Say that a version waits until its index study was read; what was said so before is replaced."""

    def index_study(self, case_id: int) -> IndexStudy | None:
        """The index study of a version that waits for its report, or did; None of one that never had to."""

    def waiting_for_read(self, patient: PatientKey) -> Sequence[Case]:
        """A patient's (canonical) DELIVERING versions that wait, or did, the oldest first."""

    def hold_back(self, case: Case) -> bool:
        """Let nothing of a version leave that has not begun to; return whether that is so now.

        Of one of which a destination may have seen something, everything goes on.
        """

    def let_go(self, case: Case, at: datetime) -> bool:
        """Let a version leave that was held back, as if it had been queued at `at`; return whether it was held back."""

    def let_all_go(self, at: datetime) -> int:
        """Let every version leave that is held back, none of which waits from now on; return how many there were."""

    def is_overtaken(self, case: Case) -> bool:
        """Whether a destination may have seen something of a later version of the same case."""
