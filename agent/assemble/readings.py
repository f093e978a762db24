"""Reports of radiologists on their way in, and the results that they let go."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import structlog

from agent.core.firewall import owner
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import Record, Unit
from agent.core.reads import Read, reads_from_json
from agent.core.release import settle

_log = structlog.get_logger()


def note_said(unit: Unit, record: Record) -> None:
    """Note what an HL7 message says of reports. What follows for its patients is settled with its news."""
    for read in reads_from_json(record.meta.get("reads") or "[]"):
        unit.note_read(replace(read, arrived=record.sequence))


def note_object(unit: Unit, report: Instance, record: Record, at: datetime) -> None:
    """Note that a radiologist's report came as an object, and let go what waited for it."""
    patient = owner(unit, report.patient, report.demographics)
    uid, study = report.sop_instance_uid, report.study_instance_uid
    read = Read(patient, uid, study, "", record.received_at, report.sha256, arrived=record.sequence)
    if unit.note_read(read):
        _log.info("report_noted", sop_instance_uid=uid)
    release(unit, [patient], at)


def release(unit: Unit, patients: Iterable[PatientKey], at: datetime) -> None:
    """Let go the results of some patients whose index study was read, and hold back those of which it was not."""
    for case in settle(unit, patients, at):
        _log.info("result_released", case_id=case.id, version=case.version)
