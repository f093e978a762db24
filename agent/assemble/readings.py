"""Reports of radiologists on their way in, and the results that they let go."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import structlog

from agent.core.case import Case, CaseState
from agent.core.errors import Permanent
from agent.core.firewall import owner
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.ports import Record, Store, Unit
from agent.core.reads import BY_WORD, Read, reads_from_json
from agent.core.release import settle, unread

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


def read_by_word(store: Store, case_id: int, by: str, at: datetime) -> Case:
    """Note that a person says that a version's index study was read, and let go what waited for it; return the version.

    Raises
    ------
    Permanent
        If there is no such case, or it waits for no report.
    """
    with store.unit() as unit:
        unit.alone()  # who notes a report takes turns with us
        try:
            case = unit.lock(case_id)
        except KeyError:
            raise Permanent(f"there is no case {case_id}") from None
        index = unit.index_study(case_id)
        if index is None or case.state is not CaseState.DELIVERING or not unread(unit, case):
            raise Permanent(f"case {case_id} is {case.state} and waits for no report: there is nothing to release")
        about = (index.study_instance_uid, index.accession_number)
        unit.note_read(Read(case.patient, f"{BY_WORD}{case_id}", *about, at, by))
        _log.info("read_by_word", case_id=case_id, by=by)
        release(unit, [case.patient], at)
        return unit.case(case_id)


def release(unit: Unit, patients: Iterable[PatientKey], at: datetime) -> None:
    """Let go the results of some patients whose index study was read, and hold back those of which it was not."""
    for case in settle(unit, patients, at):
        _log.info("result_released", case_id=case.id, version=case.version)
