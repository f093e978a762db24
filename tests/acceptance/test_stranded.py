"""A result whose images turn out to be another patient's is rejected in the archives once a person says so."""

import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from agent.core.withdrawal import REASON
from demo import reading
from demo.pacs import Orthanc, Pacs, orthanc_binary
from tests.acceptance.conftest import Hospital, story, views
from tests.harness import free_port, wait_until
from tests.peers import program

KO = "1.2.840.10008.5.1.4.1.1.88.59"
SAFETY = "113037"
KILLED_WITH_THE_REJECTION = {"SENTINODE_TEST_KILL_AT": "infer.after_save:2"}


def begin(hospital: Hospital, name: str, port: int, **environment: str) -> None:
    """Start the agent with one destination, which takes rejections."""
    retry = {"first_s": 0.2, "max_s": 0.5, "give_up_after": "10m"}
    to = {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": port, "confirm": "read_back"}
    hospital.agent.override("destinations", [to | {"retry": retry, "reject_superseded": True}])
    hospital.agent.start(**environment)
    hospital.agent.wait_listening()


def held(hospital: Hospital, words: str) -> dict[str, Any]:
    """Wait for a case that is held with these words."""

    def found() -> dict[str, Any] | None:
        return next((c for c in hospital.agent.cases() if c["state"] == "held" and words in c["reason"]), None)

    return dict(wait_until(found, 30, f"nothing is held for: {words}"))


def strand(hospital: Hospital) -> dict[str, Any]:
    """Have a result sent, learn that its image is another patient's, and accept that; return what is held then."""
    images = views(hospital.patient(1, name="Doe^Jane"), "L CC")
    hospital.send(images)
    (first,) = hospital.wait_ended()
    assert first["state"] == "done", first["reason"]
    for ds in images:
        ds.PatientID, ds.PatientName = "PH-0002", "Roe^Ann"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ds.StudyInstanceUID}.1", f"{ds.SeriesInstanceUID}.1"
    hospital.send(images)
    hospital.agent.cli("resolve", str(held(hospital, "came again")["id"]), "--accept")
    return held(hospital, "A result was sent that rests on images which are another patient's")


def check(rejection: Dataset, before: list[Dataset], case: dict[str, Any]) -> None:
    """The rejection names all that was sent, as the patient and in the study of what was sent."""
    assert rejection.ConceptNameCodeSequence[0].CodeValue == SAFETY
    assert reading.references(rejection) == {ds.SOPInstanceUID for ds in before}
    said = {(str(ds.PatientID), str(ds.PatientName), ds.StudyInstanceUID) for ds in (*before, rejection)}
    assert len(said) == 1 and ("PH-0001", "Doe^Jane") in {one[:2] for one in said}
    assert "Nothing takes their place" in ". ".join(reading.key_object(rejection))
    assert case["summary"]["answers"] == [{"side": None, "reason": REASON}]


def fetched(archive: Pacs) -> list[Dataset]:
    """Return everything that an archive has."""
    return [dcmread(BytesIO(archive.fetch(uid))) for _, uid, _, _ in archive.instances()]


def done(hospital: Hospital, case_id: int) -> dict[str, Any]:
    """Wait until a version is done, and return it."""
    return dict(
        wait_until(
            lambda: next((c for c in hospital.agent.cases() if (c["id"], c["state"]) == (case_id, "done")), None),
            60,
            f"case {case_id} is not done",
        )
    )


def test_what_is_stranded_is_rejected_though_the_agent_is_killed_in_between(
    quiet_hospital: Hospital, tmp_path: Path
) -> None:
    """The person's word, kill -9 when the rejection was saved, a restart: the PACS gets it once, and proves it."""
    if orthanc_binary() is None:
        pytest.skip("orthanc is not installed")
    hospital, port = quiet_hospital, free_port()
    with Orthanc(tmp_path / "orthanc", "ORTHANC", port, {"SENTINODE": ("127.0.0.1", hospital.agent.port)}) as orthanc:
        begin(hospital, "orthanc", port, **KILLED_WITH_THE_REJECTION)
        asked = strand(hospital)
        assert "Say --accept, and Key Objects reject it at orthanc." in asked["reason"]
        before = fetched(orthanc)
        said = hospital.agent.cli("resolve", str(asked["id"]), "--accept", "--by", "Dr Who").stdout
        assert said.startswith(f"case {asked['id']} is ")
        hospital.agent.wait_dead()
        assert len(orthanc.instances()) == len(before)
        hospital.agent.start()
        case = done(hospital, asked["id"])
        after = fetched(orthanc)
    (rejection,) = (ds for ds in after if ds.SOPClassUID == KO)
    assert len(after) == len(before) + 1
    check(rejection, before, case)
    told = story(hospital.agent, case["id"])
    assert [(row["role"], row["status"]) for row in told["deliveries"]] == [("rejection::1", "confirmed")]
    assert any("Dr Who" in event["reason"] for event in told["events"])
    assert told["instances"] == []
    rejection.save_as(tmp_path / "ko.dcm")
    judged = subprocess.run([program("dciodvfy"), "-new", str(tmp_path / "ko.dcm")], capture_output=True, text=True)
    assert not [line for line in judged.stderr.splitlines() if line.startswith("Error")], judged.stderr
