"""What a PACS is asked, what it says, and what the agent remembers of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from agent.core.case import Case
from agent.core.patient import PatientKey

MOST_STUDIES: Final = 50
MOST_INSTANCES: Final = 5000
"""More than a patient of ours can have: whoever lists more is not answering what was asked."""


@dataclass(frozen=True, slots=True)
class StudyMatch:
    """One study of a patient, as the PACS lists it."""

    study_instance_uid: str
    modalities: frozenset[str]  # Modalities in Study (0008,0061); empty: not said
    study_date: date | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance of a study, as the PACS lists it."""

    series_instance_uid: str
    modality: str
    sop_class_uid: str
    sop_instance_uid: str


class PacsQuery(Protocol):
    """A PACS that can be asked what it holds (C-FIND, study root)."""

    def studies(
        self, patient: PatientKey, modalities: Collection[str], since: date, until: date
    ) -> Sequence[StudyMatch]:
        """List this patient's studies, and nobody else's, of these days; those that say none of `modalities` are not.

        Raises Transient if it cannot be asked, Permanent if it refuses or lists too many.
        """

    def instances(self, study_instance_uid: str, modalities: Collection[str]) -> Sequence[Listed]:
        """List the instances of a study's series of these modalities, each once.

        Raises Transient if it cannot be asked, Permanent if it refuses, lists too many or leaves out what they are.
        """


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be retrieved: a study, one series of it, or instances of that series."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()


class PacsRetrieve(Protocol):
    """A PACS that sends what it holds to our own receiver (C-MOVE or C-GET, study root)."""

    def retrieve(self, wanted: Wanted) -> int:
        """Have it sent, and return how many instances came.

        Raises Transient if it cannot be asked or not all of them came, Permanent if it does not offer this.
        """


@dataclass(frozen=True, slots=True)
class StudyCount:
    """What the PACS said of one study of a case, of the SOP classes that its question reads."""

    study_instance_uid: str
    asked_at: datetime | None = None  # last time it was asked, with whatever success
    counted_at: datetime | None = None  # last time it answered
    listed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # by modality
    digest: str = ""  # of the SOP Instance UIDs listed
    missing: tuple[tuple[str, str], ...] = ()  # modality, SOP Instance UID: listed, and not here when it answered
    equal_polls: int = 0  # answers in a row with this digest
    error: str = ""  # why the last poll failed


class RetrievalStatus(StrEnum):
    """Where one retrieval stands."""

    WAITING = "waiting"
    DONE = "done"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One request to send something again or for the first time. It stays listed when it is over."""

    id: int
    case_id: int
    patient: PatientKey
    wanted: Wanted
    why: str
    status: RetrievalStatus
    attempts: int
    next_at: datetime
    asked_at: datetime  # when it was wanted
    settled_at: datetime | None = None  # when its status last changed
    error: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """The look for a case's other studies."""

    case_id: int
    next_at: datetime | None  # None: not again by itself
    searched_at: datetime | None = None  # last time that it was answered
    attempts: int = 0  # failures in a row
    error: str = ""


class PacsState(Protocol):
    """What one transaction on the agent's state does about the PACS: a part of `Unit`."""

    def want_counts(self, case_id: int, study_instance_uids: Sequence[str], at: datetime) -> None:
        """Have studies of a case counted from now on; one that is counted already and was not since `at`: at once."""

    def studies_to_ask(self, now: datetime, quiet_since: datetime, limit: int) -> Sequence[tuple[Case, StudyCount]]:
        """Studies of COLLECTING cases to be counted now, the longest due first; none of a case with later news."""

    def save_count(self, case_id: int, count: StudyCount, next_at: datetime) -> None:
        """Keep what the PACS said, and when to ask again."""

    def counts(self, case_id: int) -> Sequence[StudyCount]:
        """What the PACS said of each study that was to be counted, by Study Instance UID."""

    def not_arrived(self, sop_instance_uids: Collection[str]) -> frozenset[str]:
        """Those of which no record was ever received, whatever became of it."""

    def want_search(self, case_id: int, at: datetime) -> None:
        """Have the PACS asked for a case's other studies at once."""

    def searches_due(self, now: datetime, limit: int) -> Sequence[tuple[Case, Search]]:
        """COLLECTING cases whose other studies are to be looked for now."""

    def save_search(self, search: Search) -> None:
        """Keep how a look for studies went."""

    def search(self, case_id: int) -> Search | None:
        """How the last look for a case's studies went; None: it was not wanted yet."""

    def want_study(self, case_id: int, wanted: Wanted, why: str, at: datetime) -> bool:
        """Request a retrieval; False: this case requested the same before."""

    def want_again(
        self, case_id: int, study_uid: str, series_uid: str, sop_instance_uids: Sequence[str], at: datetime
    ) -> None:
        """Request instances whose bytes are no longer here; what was requested before is tried anew."""

    def retrieval_due(self, now: datetime) -> Retrieval | None:
        """The retrieval that waits longest; of missing studies only for COLLECTING cases, of inputs for open ones."""

    def save_retrieval(self, retrieval: Retrieval) -> None:
        """Keep how a retrieval went."""

    def retrievals(self, case_id: int) -> Sequence[Retrieval]:
        """What was requested for a version, in order."""


AGAIN: Final = "an input is no longer kept here"
"""Why inputs are requested that retention dropped."""
