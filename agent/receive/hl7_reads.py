"""What a message with results says of radiologists' reports: which study was read, or was not after all.

HL7 2.5.1: ORU^R01 (7.3.1), ORC-5, OBR-3, OBR-18, OBR-24 (table 0074), OBR-25 (table 0123). Study Instance UIDs: IHE RAD
TF-2, ZDS-1 and OBX-3 113014.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from agent.core.patient import PatientKey
from agent.core.reads import Read
from agent.receive.hl7_identity import identifiers, only_one
from agent.receive.hl7_message import Message, Segment
from agent.receive.hl7_settings import Hl7Rules

FINAL: Final = frozenset({"F", "C"})
"""Result status: final, and corrected after it was. Preliminary ones say nothing."""
GONE: Final = frozenset({"X", "D"})
"""Result status of a report that is none after all: cancelled, deleted."""
NOT_IMAGING: Final = frozenset(
    (
        "AU BG BLB CG CH CP CTH EC EN GE HM ICU IMM LAB MB MCB MYC NRS OSL OT OTH PAR PAT PF PHR PHY PT RC RT SP SR TX"
        " VR"
    ).split()
)
"""Sections (OBR-24) whose results no radiologist writes. Where none is given, only a named study says imaging."""

_EVENTS: Final = ("R01", "")


@dataclass
class _Report:
    """One OBR with what stands around it."""

    patient: PatientKey
    obr: Segment
    order_status: str  # ORC-5
    study_uids: list[str] = field(default_factory=list)


def reads_of(message: Message, rules: Hl7Rules, sent_at: datetime) -> tuple[Read, ...]:
    """Return what a message says of reports; nothing of messages other than ORU^R01.

    Raises
    ------
    Fault
        If a patient in it cannot be told.
    """
    if message.code != "ORU" or message.event not in _EVENTS:
        return ()
    found = (read for report in _reports(message, rules, sent_at) for read in _said(report, message, sent_at))
    return tuple(dict.fromkeys(found))


def _reports(message: Message, rules: Hl7Rules, sent_at: datetime) -> Sequence[_Report]:
    """Return each OBR with the patient before it, the status of its order, and the studies named behind it."""
    on = sent_at.astimezone(rules.zone).date()
    found: list[_Report] = []
    patient, order_status, current = None, "", None
    for segment in message.segments:
        if segment.name == "PID":
            patient, order_status, current = (
                only_one(identifiers(segment.repetitions(3), rules, on), "PID", 3),
                "",
                None,
            )
        elif segment.name == "ORC":
            order_status, current = segment.value(5), None
        elif segment.name == "OBR" and patient is not None:
            current = _Report(patient, segment, order_status)
            found.append(current)
            order_status = ""
        elif segment.name in ("ZDS", "OBX") and current is not None:
            current.study_uids += _study_uids(segment)
    return found


def _study_uids(segment: Segment) -> Iterator[str]:
    for value in segment.repetitions(1 if segment.name == "ZDS" else 5):
        if re.fullmatch(r"[0-9.]{1,64}", value.at(1)):
            yield value.at(1)


def _said(report: _Report, message: Message, sent_at: datetime) -> Iterator[Read]:
    obr = report.obr
    status = obr.value(25) or report.order_status
    if status not in FINAL | GONE or obr.value(24) in NOT_IMAGING:
        return
    if status in FINAL and not (obr.value(24) or report.study_uids):
        return  # perhaps another department's number; what takes a report back may be as terse as it is
    filler, placer = _number(obr, 3), _number(obr, 2)
    accession = _number(obr, 18) or filler
    for study in dict.fromkeys(report.study_uids) or ("",):
        report_id = filler or placer or accession or study
        if report_id:
            source = message.header.control_id
            yield Read(report.patient, report_id, study, accession, sent_at, source, status in FINAL)


def _number(obr: Segment, number: int) -> str:
    text = obr.value(number)
    return text if text.isprintable() else ""
