"""Whether a radiologist has read a study, from what reports say, in whatever order it came."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agent.core.patient import PatientKey

BY_WORD: Final = "by word, case "
"""Begins what stands for the identifier of a report where a person says that a case's index study was read."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one message or object says of one report: that it is final, or that there is none after all.

    A report is about the study that it names; where it names none, about what has its accession number.
    """

    patient: PatientKey  # as received
    report_id: str  # filler or placer order number, else the accession number; of an object its SOP Instance UID
    study_instance_uid: str
    accession_number: str
    sent_at: datetime  # UTC
    source_id: str  # MSH-10; of an object the digest of its bytes
    is_final: bool = True  # False: whatever was said of the report before is taken back
    arrived: int = field(default=0, compare=False)  # sequence of the record that said it first

    def names(self, study_instance_uid: str, accession_number: str) -> bool:
        """Tell whether it is about a study; `accession_number` is the study's, empty where nobody knows it."""
        if self.study_instance_uid:
            return self.study_instance_uid == study_instance_uid
        return bool(accession_number) and self.accession_number == accession_number


@dataclass(frozen=True, slots=True)
class IndexStudy:
    """The study that a version's report goes into, and since when the version has waited for it to be read."""

    study_instance_uid: str
    accession_number: str  # empty: none, or its images do not agree
    waiting_since: datetime
    released_at: datetime | None = None  # None: it waits


def final_reads(study_instance_uid: str, accession_number: str, said: Iterable[Read]) -> list[Read]:
    """Return what says that a study was read and was not taken back since, of statements about one patient.

    Of two statements of one time, as senders whose clocks tell minutes make them, the one that came later counts: an
    identifier of a message says nothing of order. What one message says both ways is taken back.
    """
    every = list(said)
    return [
        one
        for one in every
        if one.is_final and one.names(study_instance_uid, accession_number) and not _is_taken_back(one, every)
    ]


def _is_taken_back(read: Read, every: Sequence[Read]) -> bool:
    at = (read.sent_at, read.arrived)
    return any(
        not one.is_final and one.report_id == read.report_id and (one.sent_at, one.arrived) >= at for one in every
    )


def reads_to_json(reads: Sequence[Read]) -> str:
    """Write what a message says of reports, for the record's `meta`."""
    return json.dumps([_to_json(one) for one in reads], ensure_ascii=False, separators=(",", ":"))


def reads_from_json(text: str) -> tuple[Read, ...]:
    """Read what `reads_to_json` wrote."""
    return tuple(_from_json(raw) for raw in json.loads(text))


def _to_json(one: Read) -> list[Any]:
    """Write a list, which is short: a record's meta holds 64 KiB, and a message hundreds of reports."""
    key, about = one.patient, (one.report_id, one.study_instance_uid, one.accession_number)
    return [key.issuer, key.patient_id, *about, one.sent_at.isoformat(), one.source_id, one.is_final]


def _from_json(raw: Sequence[Any]) -> Read:
    issuer, patient_id, report_id, study, accession, sent_at, source_id, is_final = raw
    key = PatientKey(issuer, patient_id)
    return Read(key, report_id, study, accession, datetime.fromisoformat(sent_at), source_id, is_final)
