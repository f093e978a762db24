"""What becomes of a received object: one end, with its reason, decided from what is known already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from agent.assemble.corrections import Again, pixels_told_apart, same_attributes, same_bytes
from agent.assemble.relevance import irrelevance
from agent.core.assessed import EVERY_MODEL, Range
from agent.core.errors import Rejected
from agent.core.identities import Standing, identity_digest
from agent.core.instance import Arrival, Damaged, End, Instance, SpoolRef
from agent.core.ports import Record, StoredInstance, Unit
from agent.core.role_rules import BUILT_IN
from agent.core.roles import RoleTable

IN_PLACE: Final = "collected in place of a damaged object"
KEPT_OUT: Final = "conflict: the same SOP Instance UID with other pixels than the image of a closed case"
KEPT_AGAIN: Final = "collected in place of bytes that were no longer kept"
AFTER_THE_CASE: Final = "collected in place of an object of a closed case"
_ENDS: Final[Mapping[Again, End]] = {
    Again.DUPLICATE: End.DUPLICATE,
    Again.REENCODED: End.DUPLICATE,
    Again.CORRECTION: End.CORRECTION,
    Again.OTHER_PIXELS: End.QUARANTINED,
}

Read: TypeAlias = Instance | Rejected
"""What became of reading an instance record: a header, or why there is none."""


@dataclass(frozen=True, slots=True)
class QuestionScope:
    """A question that active bundles answer, with what, for whom; and what each object is."""

    question: str
    modalities: frozenset[str]
    roles: RoleTable = BUILT_IN
    facts: frozenset[str] = frozenset()
    limits: Range = EVERY_MODEL
    keeps: frozenset[str] = frozenset()  # modalities that its cases hold for a question that may arise

    def irrelevance(self, instance: Instance) -> str:
        """Say why the cases of the question cannot take an instance; empty: they can."""
        return irrelevance(instance, self.question, self.modalities | self.keeps, self.roles)


@dataclass
class Errands:
    """What was done between two transactions, since nobody may wait for it inside of one."""

    copied: SpoolRef | None = None  # the record of which a copy stands in quarantine, or is owed
    is_owed: bool = False
    told_apart: dict[tuple[SpoolRef, SpoolRef], bool] = field(default_factory=dict)  # known, new -> other pixels

    def are_due(self, judged: "Judged") -> bool:
        """Whether something is to be done before a record can have this end."""
        is_copied = judged.arrival.end is not End.QUARANTINED or judged.arrival.ref == self.copied
        return judged.compare_with is not None or not is_copied


@dataclass(frozen=True, slots=True)
class Judged:
    """The end of a record, and the known object that it comes up against."""

    arrival: Arrival
    wanting: Sequence[QuestionScope] = ()  # the questions whose cases take it
    again: Again | None = None
    known: StoredInstance | None = None  # the same, to the byte
    replaces: StoredInstance | None = None  # it takes this one's place at once
    compare_with: StoredInstance | None = None  # nothing can be said before both were decoded


@dataclass(frozen=True)
class Judge:
    """Decides ends. It changes nothing."""

    scopes: Sequence[QuestionScope]

    def judge(self, unit: Unit, record: Record, read: Read, errands: Errands) -> Judged:
        """Decide the one end of an instance record."""
        say = _saying(record, read)
        uid = record.meta.get("sop_instance_uid", "")
        if unit.is_own(uid):
            return Judged(say(End.OWN, "one of our results came back"))
        if isinstance(read, Rejected):
            return Judged(say(End.QUARANTINED, str(read)))
        wanting, known = self.wanting(read), unit.find_instance(uid)
        judged = self._judge_again(unit, read, known, errands, say) if known else None
        if judged is None:
            judged = Judged(say(End.COLLECTED, f"collected for {', '.join(scope.question for scope in wanting)}"))
        if judged.arrival.end is End.COLLECTED and not wanting:
            return Judged(_overheard(say(End.NOT_RELEVANT, self._irrelevance(read)), read))
        return replace(judged, wanting=wanting)

    def wanting(self, instance: Instance) -> list[QuestionScope]:
        """The questions whose cases take an image."""
        return [scope for scope in self.scopes if not scope.irrelevance(instance)]

    def _judge_again(
        self, unit: Unit, read: Instance, known: StoredInstance, errands: Errands, say: Callable[[End, str], Arrival]
    ) -> Judged | None:
        """Decide about an object whose UID is known; None where it is the known one, of a closed case."""
        uid = read.sop_instance_uid
        is_open = unit.has_open_case(uid)
        if same_bytes(known.instance, read):
            return Judged(say(End.DUPLICATE, Again.DUPLICATE), again=Again.DUPLICATE, known=known) if is_open else None
        if known.is_gone and same_attributes(known.instance, read) and not pixels_told_apart(known.instance, read):
            return Judged(say(End.COLLECTED, KEPT_AGAIN), replaces=known)  # archives send in other encodings
        same = [one for one in unit.variants(uid) if one.instance.sha256 == read.sha256]
        if any(is_open or one.standing is Standing.WAITING for one in same):
            return Judged(say(End.DUPLICATE, Again.DUPLICATE), again=Again.DUPLICATE)
        if same_attributes(known.instance, read) and unit.is_damaged(uid):
            return Judged(say(End.COLLECTED, IN_PLACE), replaces=known)
        other_pixels = pixels_told_apart(known.instance, read)
        if known.is_gone:
            other_pixels = bool(other_pixels)  # nothing is there to decode and compare with
        if other_pixels is None:
            other_pixels = errands.told_apart.get((known.ref, _ref(say)))
        if other_pixels is None:
            return Judged(say(End.DUPLICATE, ""), compare_with=known)
        again = _again(known.instance, read, other_pixels)
        if not is_open and again is Again.OTHER_PIXELS:
            return Judged(say(End.QUARANTINED, KEPT_OUT))
        if not is_open and again is Again.REENCODED:
            return Judged(say(End.COLLECTED, AFTER_THE_CASE), replaces=known)
        return Judged(say(_ENDS[again], again), again=again)

    def _irrelevance(self, instance: Instance) -> str:
        """Why no question takes an image."""
        reasons = (scope.irrelevance(instance) for scope in self.scopes)
        return next(reasons, "not relevant: no question is asked here")


def _again(known: Instance, read: Instance, other_pixels: bool) -> Again:
    if other_pixels:
        return Again.OTHER_PIXELS
    return Again.REENCODED if same_attributes(known, read) else Again.CORRECTION


def _overheard(arrival: Arrival, read: Instance) -> Arrival:
    """Note with an image that no case takes what it says of its patient."""
    return (
        replace(arrival, identity=identity_digest(read.patient, read.demographics)) if read.pixels_sha256 else arrival
    )


def _ref(say: Callable[[End, str], Arrival]) -> SpoolRef:
    return say(End.DUPLICATE, "").ref


def _saying(record: Record, read: Read) -> Callable[[End, str], Arrival]:
    """Return what makes the arrival of a record, with as much of its header as could be read."""
    meta = record.meta
    known = read if isinstance(read, Instance | Damaged) else None

    def say(end: End, reason: str) -> Arrival:
        return Arrival(
            record.ref,
            record.received_at,
            meta.get("association_id", ""),
            meta.get("sop_instance_uid", ""),
            end,
            str(reason),
            known.patient if known else None,
            known.study_instance_uid if known else "",
            known.modality if known else "",
        )

    return say
