"""A PACS in memory: what `agent.dimse.client` sees of a real one. Both pass one contract test."""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydicom.dataset import Dataset

from agent.core.archive import OnReport, StoreOutcome
from agent.core.errors import Permanent, SentinodeError, Transient, Unreachable
from agent.core.pacs import MOST_INSTANCES, MOST_STUDIES, Listed, StudyMatch, Wanted
from agent.core.patient import PatientKey
from agent.dimse.part10 import split

UNSTATED: Final = "SITE"
"""Who issued the Patient IDs of objects that name no issuer."""


@dataclass
class FakePacs:
    """An `Archive`. All switches may change while it is used."""

    refuse_first: int = 0  # calls that find no association before the first that does
    down: bool = False
    refuse_sop_classes: frozenset[str] = frozenset()
    status: dict[str, int] = field(default_factory=dict)  # C-STORE status by SOP Instance or SOP Class UID
    break_after: int | None = None  # responses before the connection is lost, each association anew
    loses: set[str] = field(default_factory=set)  # SOP Instance UIDs answered with success and not kept
    offers_commitment: bool = True
    offers_find: bool = True

    kept: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # SOP Instance UIDs of all C-STORE requests, in order
    associations: list[str] = field(default_factory=list)  # what each was for: store, find, commit, echo
    released: int = 0
    transactions: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def _associate(self, purpose: str) -> None:
        self.associations.append(purpose)
        if self.down or len(self.associations) <= self.refuse_first:
            raise Unreachable("the fake PACS rejected the association")

    def store(
        self, parts: Sequence[bytes], *, may_send: Callable[[], bool] = lambda: True
    ) -> Generator[StoreOutcome, None, None]:
        """Keep the objects."""
        split_parts = [split(p) for p in parts]
        if not parts:
            return
        self._associate("store")
        try:
            for number, (part, encoded) in enumerate(zip(split_parts, parts, strict=True)):
                if not may_send():
                    return
                if part.sop_class_uid in self.refuse_sop_classes:
                    yield StoreOutcome(part.sop_instance_uid, None)
                    continue
                self.requests.append(part.sop_instance_uid)
                if number == self.break_after:
                    raise Transient("the connection is lost")
                status = self.status.get(part.sop_instance_uid, self.status.get(part.sop_class_uid, 0x0000))
                if (status == 0 or status >> 12 == 0xB) and part.sop_instance_uid not in self.loses:
                    self.kept[part.sop_instance_uid] = encoded
                yield StoreOutcome(part.sop_instance_uid, status)
        finally:
            self.released += 1

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the object is kept."""
        self._associate("find")
        if not self.offers_find:
            raise Transient("the fake PACS does not offer C-FIND")
        encoded = self.kept.get(sop_instance_uid, b"")
        return study_instance_uid.encode() in encoded and series_instance_uid.encode() in encoded

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Note the request; a test makes the report."""
        self._associate("commit")
        if not self.offers_commitment:
            raise Permanent("no storage commitment")
        self.transactions[transaction_uid] = tuple(instances)

    def echo(self) -> None:
        """Answer."""
        self._associate("echo")


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
