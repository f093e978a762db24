"""A spool that is much too small for what passes through it, and a case that waits all the while."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from agent.dimse.client import PacsClient
from tests.acceptance.conftest import Hospital, part10, story, views
from tests.harness import wait_until

LIMIT = 256 << 20
OBJECT_BYTES = 5 << 19  # three a segment
WAITING: dict[str, Any] = {
    "dicom": {"max_associations": 16},  # more would have smaller segments
    "storage": {"spool_bytes": "256MiB"},
    "cases": {"expect_views": ["CC", "MLO"], "wait_for": {"MG": "1h"}},
}


@pytest.mark.parametrize("changes", [WAITING])
@pytest.mark.parametrize("times", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_a_waiting_case_keeps_its_images_while_the_spool_passes_some_times(hospital: Hospital, times: int) -> None:
    """It is answered in the end with all of them; nothing that was refused was acknowledged."""
    patient = hospital.patient(1)
    assert hospital.send(views(patient, "L CC")) == [0]
    wait_until(hospital.agent.cases, 20, "no case")
    sent = 0
    while sent < times * LIMIT:
        sent += OBJECT_BYTES * _sent_until_taken(hospital, 12)
        assert _spool_bytes(hospital.folder / "spool") <= LIMIT
    assert hospital.send(views(patient, "L MLO")) == [0]
    (case,) = hospital.wait_ended()
    assert case["state"] == "done", case["reason"]
    told = story(hospital.agent, case["id"])
    assert {i["view_position"]: i["used"] for i in told["instances"]} == {"CC": True, "MLO": True}
    status = json.loads(hospital.agent.cli("status", "--json").stdout)["spool"]
    assert status["limit_bytes"] == LIMIT
    assert status["used_bytes"] <= LIMIT
    assert status["copied_bytes"] > 0
    released = [line for line in hospital.agent.log_lines() if line["event"] == "spool_segment_released"]
    assert len(released) > 20 * (times - 1)
    assert sum(line["records"] for line in released) == 1


def _sent_until_taken(hospital: Hospital, count: int) -> int:
    """Send other objects of nobody's interest, what is refused again; return how many were taken: all."""
    left = [part10(_tomogram()) for _ in range(count)]
    client = PacsClient("CT1", "SENTINODE", "127.0.0.1", hospital.agent.port)
    deadline = time.monotonic() + 60
    while left:
        assert time.monotonic() < deadline, "refused for a minute"
        outcomes = list(client.store(left))
        assert all(one.status in (0, None) or one.status >> 8 == 0xA7 for one in outcomes)
        left = [one for one, outcome in zip(left, outcomes, strict=True) if outcome.status != 0]
        time.sleep(0.2 if left else 0)
    return count


def _tomogram() -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientID, ds.IssuerOfPatientID, ds.PatientName, ds.Modality = "CT-1", "PHANTOM", "NOISE^CT", "CT"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1280, 1024, 1, 16, 16, 15
    ds.PhotometricInterpretation, ds.PixelRepresentation = "MONOCHROME2", 0
    ds.PixelData = np.zeros(OBJECT_BYTES // 2, np.uint16).tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = Dataset()  # type: ignore[assignment]
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, ds.SOPInstanceUID
    return ds


def _spool_bytes(folder: Path) -> int:
    sizes = []
    for path in folder.rglob("segment-*.spool*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:  # given back just now
            continue
    return sum(sizes)
