"""What is known after a kill, and what was broken: values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from agent.core.case import Case
from agent.core.instance import Arrival, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem

CAPTURE = "secondary_capture"


class Kind(StrEnum):
    """What kind of promise was broken."""

    LOST = "lost"
    DUPLICATE = "duplicate"
    STUCK = "stuck"
    RETIRED = "results_under_retired_id"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """One object by its SOP Instance UID and the SHA-256 of its encoded dataset."""

    sop_instance_uid: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Made:
    """One result object as the database holds it."""

    role: str
    bytes: Bytes
    predecessor: str = ""  # SOP Instance UID of the document that it supersedes
    patient: PatientKey | None = None  # whom the object itself names
    instead_of: str = ""  # SOP Instance UID of the object for which it stands in reserve

    @property
    def is_capture(self) -> bool:
        """Whether it is a picture, not a document."""
        return self.role.startswith(CAPTURE)


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a case with all that hangs on it. The question applies: an answer must come of it."""

    case: Case
    asked: frozenset[str] = frozenset()  # sides that the EHR asks about, with facts enough for a number
    used: frozenset[str] = frozenset()  # modalities on which the answer rests
    members: frozenset[str] = frozenset()  # SOP Instance UIDs
    made: Sequence[Made] = ()
    estimated: frozenset[str] = frozenset()  # sides with a number
    outbox: Sequence[OutboxItem] = ()
    closed_at: datetime | None = None  # of one that is CLOSED
    absorbed_by: UUID | None = None  # the case that goes on for this one


@dataclass(frozen=True, slots=True)
class Message:
    """One HL7 message that was answered AA. A merge retires a patient's key for another one."""

    control_id: str
    retired: PatientKey | None = None
    surviving: PatientKey | None = None


@dataclass(frozen=True, slots=True)
class Leak:
    """A C-STORE request that reached an archive when the Patient ID in it was retired already."""

    sop_instance_uid: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Witness:
    """One archive: every C-STORE request that reached it, in order, and what it keeps."""

    requests: Sequence[Bytes] = ()
    kept: frozenset[Bytes] = frozenset()
    leaks: Sequence[Leak] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that is known at one moment."""

    now: datetime
    acknowledged: frozenset[Bytes] = frozenset()  # what a sender was answered 0x0000 for
    spooled: Mapping[SpoolRef, Bytes] = field(default_factory=dict)  # instance records alone
    messages: frozenset[Message] = frozenset()  # what a sender of HL7 was answered AA for
    spooled_messages: frozenset[str] = frozenset()  # control IDs
    survivors: Mapping[PatientKey, PatientKey] = field(default_factory=dict)  # by key that is retired now
    arrivals: Sequence[Arrival] = ()
    quarantined: frozenset[str] = frozenset()  # SHA-256 of what was copied out with its reason
    versions: Sequence[Version] = ()
    archives: Mapping[str, Witness] = field(default_factory=dict)
    partial_ages: Mapping[str, timedelta] = field(default_factory=dict)  # of files that are being written
