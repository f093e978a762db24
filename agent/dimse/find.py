"""What a PACS holds of a patient: C-FIND at STUDY, SERIES and IMAGE level (PS3.4 C.6.2, study root)."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]  # made at import

from agent.core.errors import Permanent
from agent.core.pacs import MOST_INSTANCES, MOST_STUDIES, Listed, StudyMatch
from agent.core.patient import PatientKey
from agent.dimse.association import NothingAccepted, Peer, association
from agent.dimse.query import matches, message_context
from agent.dimse.still import message_ids

_MODEL = UID(StudyRootQueryRetrieveInformationModelFind)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one question may bring, and cost."""

    studies: int = MOST_STUDIES
    instances: int = MOST_INSTANCES
    seconds: float = 120


class PacsFinder:
    """Asks one remote application entity what it holds. Each question is an association of its own.

    Only keys are sent that every peer must support; everything else is asked for and compared here, so a peer that
    ignores a key changes nothing.

    Parameters
    ----------
    peer
        Whom to ask.
    unstated_issuer
        Who issued the Patient IDs of matches that name no issuer.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        peer: Peer,
        unstated_issuer: str,
        *,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peer = peer
        self._unstated_issuer = unstated_issuer
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._message_ids = message_ids()

    def studies(
        self, patient: PatientKey, modalities: Collection[str], since: date, until: date
    ) -> Sequence[StudyMatch]:
        """List the patient's studies of these days, each once.

        A match counts only if its own Patient ID and issuer are the patient's. One that does not state its date or
        modalities counts; one outside of the days, or of other modalities, does not.

        Raises
        ------
        Transient
            If the peer cannot be asked.
        Permanent
            If it refuses, or lists more than 50 studies.
        """
        query = _query("STUDY", "StudyTime", "ModalitiesInStudy", "StudyInstanceUID", "IssuerOfPatientID")
        if not patient.patient_id.isascii():
            query.SpecificCharacterSet = "ISO_IR 192"
        query.PatientID = patient.patient_id
        query.StudyDate = f"{since:%Y%m%d}-{until:%Y%m%d}"
        found: dict[str, StudyMatch] = {}
        until_s = self._clock() + self._bounds.seconds
        with _asking(self._peer) as opened:
            for match in self._matches(opened, query, self._bounds.studies, until_s):
                study = _study(match)
                if self._key(match) == patient and study.study_instance_uid and _fits(study, modalities, since, until):
                    found.setdefault(study.study_instance_uid, study)
        return list(found.values())

    def instances(self, study_instance_uid: str, modalities: Collection[str]) -> Sequence[Listed]:
        """List the instances of a study's series of these modalities, each once.

        Raises
        ------
        Transient
            If the peer cannot be asked.
        Permanent
            If it refuses, lists more than 5,000 instances, or does not say of which SOP class they are.
        """
        until = self._clock() + self._bounds.seconds
        found: dict[str, Listed] = {}
        with _asking(self._peer) as opened:
            for series_uid, modality in self._series(opened, study_instance_uid, until).items():
                if series_uid and modality in modalities:
                    left = self._bounds.instances - len(found)
                    for match in self._images(opened, study_instance_uid, series_uid, left, until):
                        one = Listed(series_uid, modality, _text(match, "SOPClassUID"), _text(match, "SOPInstanceUID"))
                        found.setdefault(one.sop_instance_uid, one)
        if not all(one.sop_class_uid and one.sop_instance_uid for one in found.values()):
            raise Permanent("the peer does not say of which SOP class its instances are")
        return list(found.values())

    def _series(self, opened: Association, study_uid: str, until: float) -> dict[str, str]:
        """The modality of each series of a study."""
        query = _query("SERIES", "SeriesInstanceUID", "Modality")
        query.StudyInstanceUID = study_uid
        return {
            _text(match, "SeriesInstanceUID"): _text(match, "Modality")
            for match in self._matches(opened, query, self._bounds.instances, until)
            if _text(match, "StudyInstanceUID") in ("", study_uid)
        }

    def _images(
        self, opened: Association, study_uid: str, series_uid: str, most: int, until: float
    ) -> Iterator[Dataset]:
        query = _query("IMAGE", "SOPInstanceUID", "SOPClassUID")
        query.StudyInstanceUID, query.SeriesInstanceUID = study_uid, series_uid
        for match in self._matches(opened, query, most, until):
            if _text(match, "SeriesInstanceUID") in ("", series_uid):
                yield match

    def _matches(self, opened: Association, query: Dataset, most: int, until: float) -> Iterator[Dataset]:
        clock, message_id = self._clock, next(self._message_ids)
        return matches(opened, query, _MODEL, message_id=message_id, most=most, until=until, clock=clock)

    def _key(self, match: Dataset) -> PatientKey:
        return PatientKey(_text(match, "IssuerOfPatientID") or self._unstated_issuer, _text(match, "PatientID"))


@contextmanager
def _asking(peer: Peer) -> Iterator[Association]:
    """Hold an association for queries. Raises Permanent where the peer answers none."""
    try:
        with association(peer, [message_context(_MODEL)]) as opened:
            yield opened
    except NothingAccepted as exc:
        raise Permanent(f"no C-FIND: {exc}") from exc


def _query(level: str, *returned: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword in returned:
        setattr(query, keyword, "")
    return query


def _text(match: Dataset, keyword: str) -> str:
    return str(match.get(keyword) or "").strip("\0 ")


def _study(match: Dataset) -> StudyMatch:
    said = match.get("ModalitiesInStudy") or ()
    modalities = (said,) if isinstance(said, str) else said
    return StudyMatch(_text(match, "StudyInstanceUID"), frozenset(map(str, modalities)), _date(match))


def _date(match: Dataset) -> date | None:
    try:
        return datetime.strptime(_text(match, "StudyDate"), "%Y%m%d").date()
    except ValueError:
        return None


def _fits(study: StudyMatch, modalities: Collection[str], since: date, until: date) -> bool:
    in_time = study.study_date is None or since <= study.study_date <= until
    return in_time and (not study.modalities or not study.modalities.isdisjoint(modalities))
