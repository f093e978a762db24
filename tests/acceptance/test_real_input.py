"""Every real DICOM file goes to the running agent; each reaches a named end with its reason, and nothing dies."""

import csv
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread

from agent.core.ports import RecordKind
from agent.spool import SpoolReader
from demo import ehr
from tests.acceptance.conftest import Hospital
from tests.harness import wait_until
from tests.peers import ROOT, program, shared
from tests.senders import send_raw, split_part10
from tests.wire import WireTap

MAMMOGRAM, MAMMOGRAM_ISSUER = "GH133.dcm", "xxxxxxxx"  # the one real mammogram with an identity
BUNDLE = ROOT / "models" / "bundles" / "aln-demo-2.0.0"


def inventory() -> list[Path]:
    """The files that the inventory lists under dicom/."""
    with shared("data", "DICOM_INVENTORY.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    return [shared("data", name) for name in names if name.startswith("dicom/")]


def send(path: Path, port: int) -> str:
    """Send one file with DCMTK, else as its bytes are; return "storescu", "raw", or why it was refused."""
    address = ["-aet", "MODALITY", "-aec", "SENTINODE", "127.0.0.1", str(port)]
    done = subprocess.run([program("storescu"), "-R", *address, str(path)], capture_output=True, timeout=60)
    if done.returncode == 0:
        return "storescu"
    item = split_part10(path.read_bytes())
    if isinstance(item, str):
        return item
    (status,) = send_raw("127.0.0.1", port, "MODALITY", "SENTINODE", [item.item])
    if status is None:
        return "refused at negotiation"
    assert status == 0, path.name
    return "raw"


SITE = {
    "dicom": {"max_associations": 16},  # more would have smaller segments, and what nobody needs of them goes at once
    "cases": {"quiet_s": 2, "expect": []},
    "models": [{"bundle": str(BUNDLE), "demo_issuers": [MAMMOGRAM_ISSUER]}],
}


@pytest.mark.parametrize("changes", [SITE])
def test_every_real_file_reaches_a_named_end(hospital: Hospital) -> None:
    """All files of the inventory: equal on the wire and in the spool, one end with a reason each, no process dies."""
    files = inventory()
    mammogram = next(path for path in files if path.name == MAMMOGRAM)
    know_the_mammogram(hospital, mammogram)
    with WireTap(hospital.agent.port) as tap:
        ways = {path.name: send(path, tap.port) for path in files}
        acknowledged = tap.datasets()
    sent = Counter(way if way in ("storescu", "raw") else "refused" for way in ways.values())
    assert sent["storescu"] >= 30
    assert sent["raw"] >= 5
    assert sent["refused"] <= 3, {name: way for name, way in ways.items() if way not in ("storescu", "raw")}
    records = [r for r in SpoolReader(hospital.folder / "spool").after({}) if r.kind is RecordKind.INSTANCE]
    # an association that ends slowly keeps its segment: in order of segments is not in order of time
    assert sorted(r.payload for r in records) == sorted(acknowledged)
    wait_until(lambda: sum(hospital.agent.status()["arrivals"].values()) == len(records), 60, "not all were indexed")
    (used,) = [c for c in hospital.wait_ended(seconds=90) if c["patient_id"] == dcmread(mammogram).PatientID]
    assert used["state"] == "done", used["reason"]
    assert used["summary"]["answers"][0]["side"] == "R"
    seen = hospital.agent.status()
    assert set(seen["arrivals"]) <= {"collected", "not_relevant", "quarantined", "duplicate"}
    assert sum(seen["reasons"].values()) >= len(records) - seen["arrivals"]["collected"]
    copies = {p.stem for p in (hospital.folder / "quarantine").glob("*.dcm")}
    assert copies
    assert copies == {p.stem for p in (hospital.folder / "quarantine").glob("*.json")}
    assert "process_died" not in hospital.agent.log()
    assert "tick_failed" not in hospital.agent.log()


def know_the_mammogram(hospital: Hospital, path: Path) -> None:
    """Give the EHR a row for the real mammogram's patient, so that the image is used."""
    ds = dcmread(path, stop_before_pixels=True)
    day = f"{ds.StudyDate[:4]}-{ds.StudyDate[4:6]}-{ds.StudyDate[6:]}"
    row = {"diagnosis": "invasive", "side": "R", "sex": "F", "birth_date": "1950-01-01", "size_ultrasound_mm": 14.0}
    who = {"patient_id": ds.PatientID, "issuer_of_patient_id": MAMMOGRAM_ISSUER, "recorded_date": day}
    ehr.load(hospital.agent.ehr_path, [{**who, **row}])
