"""No patient data where it does not belong."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import Hospital, part10, views
from tests.senders import Sendable, send_raw, split_part10

NAME, BIRTH_DATE, TYPE = "CANARYNAME^QUIET", "19431117", "CANARYTYPE"


@pytest.mark.parametrize("changes", [{"operate": {"log": {"level": "debug"}}}])
def test_canaries_are_in_no_log_and_no_file_name(hospital: Hospital) -> None:
    """Name, ID, birth date and an EHR value of a patient, good and broken images: 0 hits in logs and file names."""
    patient = hospital.patient(1, name=NAME, histological_type=TYPE)
    datasets = views(patient, "L CC", "L MLO")
    for ds in datasets:
        ds.PatientBirthDate = BIRTH_DATE
        ds.PatientComments = NAME
    assert hospital.send(datasets) == [0, 0]
    broken = views(patient, "R CC")[0]
    broken.PatientName = NAME
    broken.PatientBirthDate = BIRTH_DATE
    whole = split_part10(part10(broken))
    assert isinstance(whole, Sendable)
    *uids, body = whole.item
    (status,) = send_raw(
        "127.0.0.1", hospital.agent.port, "MODALITY", "SENTINODE", [(uids[0], uids[1], uids[2], body[:-5000])]
    )
    assert status == 0
    hospital.wait_ended()
    hospital.agent.stop()
    log = hospital.agent.log()
    assert log
    assert "quarantined" in log
    for canary in ("CANARYNAME", patient.patient_id, BIRTH_DATE, "1943-11-17", TYPE):
        assert canary not in log
        assert not [path for path in names(hospital.folder) if canary in path]


def names(folder: Path) -> list[str]:
    """Every file name that the agent wrote, the archive's own apart."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if "pacs" not in p.parts]
