"""A second reader: results wait until a radiologist has read the study, through the whole agent and real sockets."""

import subprocess
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from agent.operate.status import AWAITED
from tests.acceptance.conftest import Hospital, part10, story, views
from tests.harness import free_port, wait_until
from tests.hl7_sender import send
from tests.peers import program
from tests.reading import obr, oru, report, zds

PORT = free_port()
WAITING: dict[str, Any] = {
    "cases": {"quiet_s": 0.5, "expect": [], "expect_views": [], "wait_for": {}, "release": "after_radiologist_report"},
    "hl7": {"port": PORT, "issuers": {"HOSP": "PHANTOM"}},
}
SECONDS = 60


def storescu(hospital: Hospital, ds: Dataset) -> None:
    """Send an object with DCMTK's program, as a RIS does."""
    path = hospital.folder / f"{ds.SOPInstanceUID}.dcm"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.write_bytes(part10(ds))
    command = [program("storescu"), "-R", "-aet", "RIS", "-aec", "SENTINODE", "127.0.0.1", str(hospital.agent.port)]
    subprocess.run([*command, str(path)], check=True, capture_output=True)


def told(hospital: Hospital, status: str, control_id: str, *names: str) -> None:
    """Send the result of a report with a status, and see it accepted."""
    patient, study = names
    raw = oru(obr(status), zds(study), patient_id=f"{patient}^^^HOSP^MR", control_id=control_id)
    assert b"MSA|AA" in send("127.0.0.1", PORT, raw)


def waits(hospital: Hospital) -> dict[str, Any] | None:
    """The case that waits for its report, None while there is none."""
    return next((case for case in hospital.agent.cases() if case["awaits_report_since"]), None)


def arrived(hospital: Hospital, count: int) -> None:
    """Wait until the agent has taken so many objects in."""
    wait_until(lambda: sum(hospital.agent.status()["arrivals"].values()) == count, SECONDS, f"{count} objects")


@pytest.mark.parametrize("changes", [WAITING])
def test_results_wait_for_the_radiologist(hospital: Hospital) -> None:
    """Nothing leaves for a machine's report, a preliminary result or a person's command; a final result lets it go."""
    patient = hospital.patient(1)
    images = views(patient, "L CC", "L MLO")
    study = str(images[0].StudyInstanceUID)
    assert set(hospital.send(images)) == {0}
    case = wait_until(lambda: waits(hospital), SECONDS, "no result waits")
    who = {"PatientID": patient.patient_id, "IssuerOfPatientID": "PHANTOM", "StudyInstanceUID": study}
    storescu(hospital, report("cad", ("111036", "DCM"), **who))
    storescu(hospital, report("draft", **who, VerificationFlag="UNVERIFIED"))
    arrived(hospital, 4)
    told(hospital, "P", "M1", patient.patient_id, study)
    told(hospital, "F", "M2", patient.patient_id, "1.2.3")
    told(hospital, "F", "M3", "PH-9999", study)
    said = hospital.agent.cli("resend", str(case["id"]), check=False)
    assert said.returncode != 0
    assert "waits for the radiologist's report of its index study" in said.stderr
    assert AWAITED in hospital.agent.cli("status").stdout
    assert story(hospital.agent, case["id"])["awaited"][0]["study_instance_uid"] == study
    assert hospital.agent.status()["awaiting_report"] == 1
    assert hospital.archive.instances() == []
    told(hospital, "F", "M4", patient.patient_id, study)
    (done,) = hospital.wait_ended()
    assert done["state"] == "done", done["reason"]
    assert len(hospital.results()) == 5
    assert hospital.agent.status()["awaiting_report"] == 0
    assert patient.patient_id not in hospital.agent.log()


@pytest.mark.parametrize("changes", [WAITING])
def test_a_report_object_lets_results_go(hospital: Hospital) -> None:
    """One that was there before the images of its study, and one that comes afterwards."""
    early, late = hospital.patient(1), hospital.patient(2)
    for patient, is_first in ((early, True), (late, False)):
        images = views(patient, "L CC")
        who = {"PatientID": patient.patient_id, "IssuerOfPatientID": "PHANTOM"}
        verified = report(patient.patient_id, **who, StudyInstanceUID=str(images[0].StudyInstanceUID))
        if is_first:
            storescu(hospital, verified)
            arrived(hospital, 1)
        assert hospital.send(images) == [0]
        if not is_first:
            wait_until(lambda: waits(hospital), SECONDS, "no result waits")
            assert {str(ds.PatientID) for ds in hospital.results()} == {early.patient_id}
            storescu(hospital, verified)
        assert {case["state"] for case in hospital.wait_ended(1 if is_first else 2)} == {"done"}
    assert {str(ds.PatientID) for ds in hospital.results()} == {early.patient_id, late.patient_id}


@pytest.mark.parametrize("changes", [WAITING])
def test_a_site_that_waits_no_more_lets_everything_go(hospital: Hospital) -> None:
    """With the next start."""
    hospital.send(views(hospital.patient(1), "L CC"))
    wait_until(lambda: waits(hospital), SECONDS, "no result waits")
    assert hospital.agent.stop() == 0
    hospital.agent.override("cases", release="at_once")
    hospital.agent.start()
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"
    assert hospital.agent.status()["awaiting_report"] == 0


@pytest.mark.parametrize("changes", [WAITING])
def test_a_person_may_say_that_the_study_was_read(hospital: Hospital) -> None:
    """For a report that does not name it: the result leaves while the agent runs, and the story says who said so."""
    hospital.send(views(hospital.patient(1), "L CC"))
    case = wait_until(lambda: waits(hospital), SECONDS, "no result waits")
    assert "waits no more" in hospital.agent.cli("release", str(case["id"]), "--by", "Dr Example").stdout
    (done,) = hospital.wait_ended()
    assert done["state"] == "done", done["reason"]
    assert story(hospital.agent, case["id"])["awaited"][0]["released_by"].startswith("Dr Example (login ")
    assert hospital.agent.cli("release", str(case["id"]), "--by", "Dr Example", check=False).returncode == 2
