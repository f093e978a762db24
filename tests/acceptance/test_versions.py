"""A later version takes the place of the one before it, at archives that were there and at one that was away."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from agent.core.firewall import OVERTAKEN
from demo import reading
from demo.archive import Archive
from demo.pacs import Orthanc, orthanc_binary
from tests.acceptance.conftest import Hospital, story, views
from tests.harness import free_port, wait_until

KO = "1.2.840.10008.5.1.4.1.1.88.59"
QUALITY = "113001"
SECONDS = 60


def destination(name: str, port: int, **more: object) -> dict[str, Any]:
    """Return a destination that is asked again soon."""
    retry = {"first_s": 0.2, "max_s": 0.5, "give_up_after": "10m"}
    return {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": port, "retry": retry, **more}


def begin(hospital: Hospital, *destinations: dict[str, Any]) -> None:
    """Start the agent with these destinations."""
    hospital.agent.override("destinations", list(destinations))
    hospital.agent.start()
    hospital.agent.wait_listening()


def uids(hospital: Hospital, case: dict[str, Any]) -> set[str]:
    """Return the objects of a version that were sent to somebody, or are to be."""
    rows = story(hospital.agent, case["id"])["deliveries"]
    return {row["sop_instance_uid"] for row in rows if row["status"] != "spare"}


def wait_answered(hospital: Hospital, count: int) -> list[dict[str, Any]]:
    """Wait until so many versions have a result; return them, the newest first."""

    def answered() -> list[dict[str, Any]] | None:
        cases = hospital.agent.cases()
        return cases if len(cases) == count and all(case["summary"] for case in cases) else None

    return list(wait_until(answered, SECONDS, f"no {count} answers"))


def the_rejection(objects: Sequence[Dataset]) -> Dataset:
    """Return the only Key Object."""
    (found,) = (ds for ds in objects if ds.SOPClassUID == KO)
    return found


def fetched(archive: Archive | Orthanc) -> list[Dataset]:
    """Return everything that an archive has."""
    return [dcmread(BytesIO(archive.fetch(uid))) for _, uid, _, _ in archive.instances()]


def test_an_archive_that_was_away_gets_the_later_version_alone(quiet_hospital: Hospital) -> None:
    """The PACS has version 1, and gets its rejection; the archive gets nothing of version 1 after version 2."""
    hospital, port = quiet_hospital, free_port()
    pacs = destination("pacs", hospital.archive.port, reject_superseded=True)
    begin(hospital, pacs, destination("vna", port))
    patient = hospital.patient(1)
    hospital.send(views(patient, "L CC"))
    (first,) = wait_answered(hospital, 1)
    v1 = uids(hospital, first)
    wait_until(lambda: set(hospital.archive.stores) == v1, SECONDS, "the PACS did not get version 1")
    hospital.send(views(patient, "L MLO"))
    second, _ = wait_answered(hospital, 2)
    v2 = uids(hospital, second)
    wait_until(lambda: set(hospital.archive.stores) == v1 | v2, SECONDS, "the PACS did not get version 2")
    with Archive("VNA", hospital.folder / "vna", port=port) as vna:
        second, first = hospital.wait_ended(2)
        assert (second["state"], first["state"], first["reason"]) == ("done", "closed", OVERTAKEN)
        rejection = the_rejection(hospital.results())
        assert set(vna.stores) == v2 - {rejection.SOPInstanceUID}
    assert reading.references(rejection) == v1


def test_the_only_archive_that_was_away_gets_both_in_order(quiet_hospital: Hospital) -> None:
    """Nobody has seen version 2, which names version 1 as its predecessor: all of version 1 goes before it."""
    hospital, port = quiet_hospital, free_port()
    begin(hospital, destination("vna", port, reject_superseded=True))
    patient = hospital.patient(1)
    hospital.send(views(patient, "L CC"))
    (first,) = wait_answered(hospital, 1)
    hospital.send(views(patient, "L MLO"))
    second, _ = wait_answered(hospital, 2)
    v1, v2 = uids(hospital, first), uids(hospital, second)
    with Archive("VNA", hospital.folder / "vna", port=port) as vna:
        assert {case["state"] for case in hospital.wait_ended(2)} == {"done"}
        assert set(vna.stores[: len(v1)]) == v1
        assert set(vna.stores[len(v1) :]) == v2
        assert reading.references(the_rejection(fetched(vna))) == v1


def test_orthanc_keeps_both_versions_and_the_rejection(quiet_hospital: Hospital, tmp_path: Path) -> None:
    """A PACS without IOCM lists all of it: version 1 as it was sent, version 2, and the Key Object that rejects."""
    if orthanc_binary() is None:
        pytest.skip("orthanc is not installed")
    hospital, port = quiet_hospital, free_port()
    with Orthanc(tmp_path / "orthanc", "ORTHANC", port, {"SENTINODE": ("127.0.0.1", hospital.agent.port)}) as orthanc:
        begin(hospital, destination("orthanc", port, reject_superseded=True))
        patient = hospital.patient(1)
        hospital.send(views(patient, "L CC"))
        hospital.wait_ended()
        before = {str(ds.SOPInstanceUID): ds for ds in fetched(orthanc)}
        hospital.send(views(patient, "L MLO"))
        assert {case["state"] for case in hospital.wait_ended(2)} == {"done"}
        after = {str(ds.SOPInstanceUID): ds for ds in fetched(orthanc)}
    rejection = the_rejection(list(after.values()))
    assert len(before) == 4
    assert len(after) == 4 + 5 + 1
    assert all(after[uid] == ds for uid, ds in before.items())
    assert reading.references(rejection) == set(before)
    assert rejection.ConceptNameCodeSequence[0].CodeValue == QUALITY
    assert {ds.StudyInstanceUID for ds in after.values()} == {rejection.StudyInstanceUID}
