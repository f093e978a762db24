"""Results that wait for the radiologist's report: nothing leaves before the index study was read."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from agent.core.case import Case, CaseState
from agent.core.patient import PatientKey
from agent.core.ports import Unit
from agent.core.reads import IndexStudy, final_reads
from agent.core.result import Kind, Result, ResultObject

WAITS: Final = "it waits for the radiologist's report of its index study"
NOT_READ: Final = "a later version was answered before a radiologist had read the study"


def unread(unit: Unit, case: Case) -> str:
    """Say why a version has to wait for a report; empty: it has not."""
    index = unit.index_study(case.id)
    return WAITS if index is not None and not _is_read(unit, case, index) else ""


def _is_read(unit: Unit, case: Case, index: IndexStudy) -> bool:
    about = (index.study_instance_uid, index.accession_number)
    theirs = [one for one in unit.reads(*about) if unit.canonical(one.patient) == unit.canonical(case.patient)]
    return bool(final_reads(*about, theirs))


def settle(unit: Unit, patients: Iterable[PatientKey], at: datetime) -> list[Case]:
    """Bring what waits of some patients into agreement with what is known of reports; return what was released."""
    released = []
    for patient in sorted(set(patients)):
        for case in unit.waiting_for_read(unit.canonical(patient)):
            locked = unit.lock(case.id)
            if unread(unit, locked):
                unit.hold_back(locked)
            elif unit.let_go(locked, at):
                released.append(locked)
    return released


def wait_for_report(unit: Unit, case: Case, result: Result, objects: Iterable[ResultObject]) -> bool:
    """Keep a version that was saved in this unit until its index study was read; return whether it waits.

    An earlier version that nobody has seen yet gives way to it. The unit must be `alone`: else a report that comes at
    the same moment could be missed.

    Parameters
    ----------
    objects
        All that were made, whoever gets them: the text SR lies in the index study.
    """
    for earlier in unit.versions(case):
        if earlier.version < case.version and earlier.state is CaseState.DELIVERING and unread(unit, earlier):
            _give_way(unit, earlier, result.made_at)
    study = min(objects, key=lambda one: one.kind is not Kind.TEXT_SR).study_instance_uid
    unit.wait_for_read(case, IndexStudy(study, _accession_number(unit, case, study), result.made_at))
    settle(unit, [case.patient], result.made_at)
    return bool(unread(unit, case))


def _give_way(unit: Unit, earlier: Case, at: datetime) -> None:
    if unit.hold_back(earlier):
        unit.withdraw(earlier, at, NOT_READ)


def _accession_number(unit: Unit, case: Case, study_instance_uid: str) -> str:
    """Return the Accession Number of a study, empty where its images give none or several."""
    images = (stored.instance for stored in unit.instances(case.id))
    said = {image.accession_number for image in images if image.study_instance_uid == study_instance_uid}
    return said.pop() if len(said) == 1 else ""
