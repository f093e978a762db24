"""A PACS in memory: what `agent.dimse.client` sees of a real one. Both pass one contract test."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydicom.dataset import Dataset

from agent.core.archive import OnReport, StoreOutcome
from agent.core.dimse_status import Judgement, judge
from agent.core.errors import Permanent, SentinodeError, Transient, Unreachable
from agent.core.pacs import MOST_INSTANCES, MOST_STUDIES, Listed, StudyMatch, Wanted
from agent.core.patient import PatientKey
from agent.dimse.part10 import Part, split

UNSTATED: Final = "SITE"
"""Who issued the Patient IDs of objects that name no issuer."""


@dataclass
class FakePacs:
    """An `Archive`. All switches may change while it is used."""

    refuse_first: int = 0  # associations that are rejected before the first that is not
    down: bool = False
    refuse_sop_classes: frozenset[str] = frozenset()
    status: dict[str, int] = field(default_factory=dict)  # C-STORE status by SOP Instance or SOP Class UID
    break_after: int | None = None  # C-STORE requests taken before the connection is lost, each association anew
    loses: set[str] = field(default_factory=set)  # SOP Instance UIDs answered with success and not kept
    offers_commitment: bool = True
    offers_find: bool = True
    window: int = 1  # objects under way at once; of several the last one is answered first

    kept: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # SOP Instance UIDs of all C-STORE requests, in order
    calls: list[str] = field(default_factory=list)  # what it was asked for: store, find, commit, echo
    associations: list[str] = field(default_factory=list)  # the calls that opened one
    proposed: list[tuple[str, str]] = field(default_factory=list)  # SOP class and transfer syntax, by the last session
    released: int = 0
    transactions: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    _in_session: bool = False
    _took: set[str] = field(default_factory=set)  # SOP classes taken before, one of which is proposed beside others
    _stored: int | None = None  # C-STORE requests on the association that is open

    @contextmanager
    def session(self, pairs: Collection[tuple[str, str]] = (), *, reads_back: bool = False) -> Iterator["FakePacs"]:
        """Share an association between calls."""
        self._in_session, self.proposed = True, list(pairs)
        try:
            yield self
        finally:
            self._in_session = False
            self._end()

    @contextmanager
    def _association(self, purpose: str) -> Iterator[None]:
        self.calls.append(purpose)
        if self.down:
            self._end()
        if self._stored is None:
            self._associate(purpose)
        try:
            yield
        finally:
            if not self._in_session:
                self._end()

    def _associate(self, purpose: str) -> None:
        self.associations.append(purpose)
        if self.down or len(self.associations) <= self.refuse_first:
            raise Unreachable("the fake PACS rejected the association")
        self._stored = 0

    def _end(self) -> None:
        self.released += self._stored is not None
        self._stored = None

    def store(
        self,
        parts: Sequence[bytes],
        *,
        needs: Mapping[str, Collection[str]] | None = None,
        may_send: Callable[[str], bool] = lambda _: True,
    ) -> Generator[StoreOutcome, None, None]:
        """Keep the objects."""
        split_parts = {(part := split(encoded)).sop_instance_uid: (part, encoded) for encoded in parts}
        if not parts:
            return
        is_used = self._stored is not None
        with self._association("store"):
            if is_used and self._stored == self.break_after:
                self._end()
                self._associate("store")
            classes = {part.sop_class_uid for part, _ in split_parts.values()} | self._took
            classes.update(sop_class for sop_class, _ in self.proposed if self._in_session)
            if classes <= self.refuse_sop_classes:
                raise Transient("the fake PACS accepted none of the presentation contexts")
            self._took |= classes - self.refuse_sop_classes
            yield from self._answers(split_parts, needs or {}, may_send)

    def _answers(
        self,
        parts: Mapping[str, tuple[Part, bytes]],
        needs: Mapping[str, Collection[str]],
        may_send: Callable[[str], bool],
    ) -> Iterator[StoreOutcome]:
        under_way: deque[str] = deque()
        failed: set[str] = set()
        for uid, (part, _) in parts.items():
            wanted = set(needs.get(uid, ()))
            while len(under_way) == self.window or wanted.intersection(under_way):
                yield self._answer(*parts[under_way.pop()], failed)
            if wanted & failed:
                failed.add(uid)
                continue
            if part.sop_class_uid in self.refuse_sop_classes:
                yield StoreOutcome(uid, None)
                continue
            if not may_send(uid):
                break
            self.requests.append(uid)
            if self._stored == self.break_after:
                self._end()
                raise Transient("the connection is lost")
            self._stored = (self._stored or 0) + 1
            under_way.append(uid)
        while under_way:
            yield self._answer(*parts[under_way.pop()], failed)

    def _answer(self, part: Part, encoded: bytes, failed: set[str]) -> StoreOutcome:
        uid = part.sop_instance_uid
        status = self.status.get(uid, self.status.get(part.sop_class_uid, 0x0000))
        if (status == 0 or status >> 12 == 0xB) and uid not in self.loses:
            self.kept[uid] = encoded
        if judge(status) is Judgement.RETRY:
            failed.add(uid)
        return StoreOutcome(uid, status)

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the object is kept."""
        with self._association("find"):
            if not self.offers_find:
                raise Transient("the fake PACS does not offer C-FIND")
            encoded = self.kept.get(sop_instance_uid, b"")
            return study_instance_uid.encode() in encoded and series_instance_uid.encode() in encoded

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Note the request; a test makes the report."""
        self._end()
        with self._association("commit"):
            self._end()
            if not self.offers_commitment:
                raise Permanent("no storage commitment")
            self.transactions[transaction_uid] = tuple(instances)

    def echo(self) -> None:
        """Answer."""
        with self._association("echo"):
            pass


@dataclass(frozen=True)
class Held:
    """One instance in a PACS, with what a query needs of its header."""

    patient: PatientKey
    study_instance_uid: str
    study_date: date | None
    listed: Listed


@dataclass
class FakeQuery:
    """A `PacsQuery` and `PacsRetrieve` in memory. All switches may change while it is used."""

    held: list[Held] = field(default_factory=list)
    down: bool = False
    refuses: str = ""  # why it answers no query, for good
    most_studies: int = MOST_STUDIES
    most_instances: int = MOST_INSTANCES
    on_retrieve: Callable[[Held], None] = lambda one: None  # what our receiver does with what it is sent
    retrieve_error: SentinodeError | None = None

    asked: list[str] = field(default_factory=list)  # "studies ID", "instances UID", "retrieve UID", in order

    def hold(self, ds: Dataset) -> None:
        """Take an object in."""
        day = str(ds.get("StudyDate") or "")
        listed = Listed(str(ds.SeriesInstanceUID), str(ds.Modality), str(ds.SOPClassUID), str(ds.SOPInstanceUID))
        patient = PatientKey(str(ds.get("IssuerOfPatientID") or UNSTATED), str(ds.PatientID))
        study_date = date.fromisoformat(day) if day else None
        self.held.append(Held(patient, str(ds.StudyInstanceUID), study_date, listed))

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise Unreachable("the fake PACS rejected the association")
        if self.refuses:
            raise Permanent(self.refuses)

    def studies(
        self, patient: PatientKey, modalities: Collection[str], since: date, until: date
    ) -> Sequence[StudyMatch]:
        """List a patient's studies."""
        self._ask(f"studies {patient.patient_id}")
        mine: dict[str, list[Held]] = {}
        for one in self.held:
            if one.patient == patient:
                mine.setdefault(one.study_instance_uid, []).append(one)
        if len(mine) > self.most_studies:
            raise Permanent("the peer lists too many")
        matches = [
            StudyMatch(uid, frozenset(one.listed.modality for one in held), held[0].study_date)
            for uid, held in mine.items()
        ]
        return [
            m
            for m in matches
            if m.modalities & set(modalities) and (m.study_date is None or since <= m.study_date <= until)
        ]

    def instances(self, study_instance_uid: str, modalities: Collection[str]) -> Sequence[Listed]:
        """List a study."""
        self._ask(f"instances {study_instance_uid}")
        found = {
            one.listed.sop_instance_uid: one.listed
            for one in self.held
            if one.study_instance_uid == study_instance_uid and one.listed.modality in modalities
        }
        if len(found) > self.most_instances:
            raise Permanent("the peer lists too many")
        if not all(one.sop_class_uid for one in found.values()):
            raise Permanent("the peer does not say of which SOP class its instances are")
        return list(found.values())

    def retrieve(self, wanted: Wanted) -> int:
        """Send what is wanted."""
        self._ask(f"retrieve {wanted.series_instance_uid or wanted.study_instance_uid}")
        if self.retrieve_error is not None:
            raise self.retrieve_error
        sent = [one for one in self.held if _is_wanted(one, wanted)]
        for one in sent:
            self.on_retrieve(one)
        return len(sent)


def _is_wanted(one: Held, wanted: Wanted) -> bool:
    return (
        one.study_instance_uid == wanted.study_instance_uid
        and wanted.series_instance_uid in ("", one.listed.series_instance_uid)
        and (not wanted.sop_instance_uids or one.listed.sop_instance_uid in wanted.sop_instance_uids)
    )
