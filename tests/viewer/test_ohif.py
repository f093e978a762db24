"""What a radiologist sees of our objects: Orthanc, the real OHIF and Chromium, all on loopback.

OHIF is not downloaded here: SENTINODE_OHIF_DIST names its unpacked dist folder, SENTINODE_PLAYWRIGHT a folder whose
node_modules hold playwright-core. Screenshots stay in SENTINODE_SHOTS where that is set.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid5

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from agent.core.patient import PatientKey
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Result, ResultObject, SourceImage
from agent.dicom.uids import device_uid
from agent.report.compose import Composer, DeviceIdentity
from agent.report.layout import RED
from tests import builders, peers

COMPLAINTS = re.compile(r"TypeError|Error Boundary|Unable to generate|PAGEERROR|STEP ")
DEVICE = DeviceIdentity(device_uid(builders.INSTALLATION), "SENTINODE", "Sentinode", "Sentinode", "0001", "0.1.0")


@dataclass(frozen=True)
class Seen:
    """What the browser showed: words by step, complaints, and screenshots in order."""

    texts: dict[str, str]
    clipped: dict[str, list[str]]
    failed: list[str]
    outside: list[str]
    log: list[str]
    shots: list[Path]

    @property
    def complaints(self) -> list[str]:
        """The console's lines that mean that something broke."""
        return [line for line in self.log if COMPLAINTS.search(line)]


@dataclass(frozen=True)
class Viewer:
    """A PACS with a viewer before it."""

    dicom_port: int
    url: str
    folder: Path
    playwright: Path
    harness: Path

    def store(self, name: str, parts: Sequence[bytes]) -> None:
        """Send Part 10 files as a modality would."""
        folder = self.folder / name
        folder.mkdir()
        for n, part in enumerate(parts):
            (folder / f"{n:02d}.dcm").write_bytes(part)
        command = [peers.program("storescu"), "-R", "-aec", "HARNESS", "127.0.0.1", str(self.dicom_port)]
        subprocess.run([*command, *map(str, sorted(folder.iterdir()))], check=True, capture_output=True, timeout=60)

    def look(self, name: str, study: str, steps: Sequence[str]) -> Seen:
        """Open a study, click the thumbnails, and tell what was seen."""
        kept = Path(os.environ.get("SENTINODE_SHOTS", self.folder))
        command = [peers.program("node"), str(self.harness / "shot.mjs"), "--url", self.url, "--study", study]
        command += ["--out", str(kept / name), "--steps", ",".join(steps), "--chromium", peers.program("chromium")]
        done = subprocess.run(command, cwd=self.playwright, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr[-2000:]
        said = json.loads(done.stdout)
        shots = sorted(kept.glob(f"{name}-*.png"), key=lambda p: int(p.name[len(name) + 1 :].split("-")[0]))
        return Seen(said["texts"], said["clipped"], said["failed"], said["outside"], said["log"], shots)


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """Start Orthanc and OHIF; everything they need must be on the machine."""
    harness = peers.shared("viewer")
    for name in ("Orthanc", "chromium", "node", "storescu"):
        peers.program(name)
    dist, playwright = _folder("SENTINODE_OHIF_DIST", "index.html"), _folder("SENTINODE_PLAYWRIGHT", "node_modules")
    folder = tmp_path_factory.mktemp("viewer")
    http, dicom, port = _free_ports(3)
    start = [str(harness / "start_orthanc.sh"), str(folder), str(http), str(dicom), "HARNESS"]
    served: subprocess.Popen[bytes] | None = None
    try:
        environment = os.environ | {"ORTHANC_PLUGINS": "libOrthancDicomWeb.so"}
        subprocess.run(["bash", *start], check=True, timeout=60, env=environment, stdout=subprocess.DEVNULL)
        command = [sys.executable, str(harness / "serve_ohif.py"), "--dist", str(dist), "--port", str(port)]
        served = subprocess.Popen([*command, "--orthanc", f"http://127.0.0.1:{http}"], stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        _until(lambda: _answers(url), 20)
        yield Viewer(dicom, url, folder, playwright, harness)
    finally:
        if served is not None:
            served.terminate()
            served.wait(10)
        subprocess.run(["bash", str(harness / "stop.sh"), str(folder)], check=True, timeout=30, capture_output=True)


def _folder(variable: str, member: str) -> Path:
    path = Path(os.environ.get(variable, ""))
    if variable not in os.environ or not (path / member).exists():
        pytest.skip(f"{variable} names no folder with {member}")
    return path


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=1) as reply:  # noqa: S310 -- loopback
        return bool(reply.status == 200)
    return False


def _until(condition: Callable[[], bool], deadline_s: float) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.1)


def study(name: str, views: Sequence[tuple[str, str]], **more: Any) -> list[tuple[bytes, SourceImage]]:
    """Return the files and source images of one mammography study of a patient of its own."""
    patient = PatientKey("PHANTOM", f"P-{name}")
    made = []
    for side, view in views:
        ds = builders.mammogram(side, view, study=name, rows=1000, columns=800, patient=patient, **more)
        image = builders.source_image(ds, patient=patient)
        made.append((builders.part10(ds), image))
    return made


def compose(result: Result, images: Sequence[SourceImage]) -> tuple[ResultObject, ...]:
    """Make the objects of a result, as a case of its own: the same UIDs in two studies confuse any archive."""
    case = uuid5(result.installation, images[0].instance.study_instance_uid)
    return Composer(DEVICE)(replace(result, case_uuid=case), images)


def has_red_band(shot: Path) -> bool:
    """Whether the disclaimer's band is on a screenshot."""
    pixels = np.asarray(Image.open(shot).convert("RGB")).reshape(-1, 3).astype(int)
    return bool((np.abs(pixels - RED).max(axis=1) <= 6).sum() > 3000)


def assert_nothing_broke(seen: Seen) -> None:
    """Assert what RESULTS asks of every case."""
    assert (seen.failed, seen.complaints) == ([], [])
    assert seen.outside == []
    assert seen.clipped == {}
    assert not any("tracking measurements" in text for text in seen.texts.values())


def test_radiologist_sees_both_axillae_text_and_heatmaps(viewer: Viewer) -> None:
    """Each SR is drawn on its side's view with number and disclaimer; page and captures are readable."""
    made = study("bilateral", [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")], day=date(2026, 1, 5))
    images = [image for _, image in made]
    result = builders.result([builders.estimate("L", 0.7312), builders.estimate("R", 0.042)], images)
    viewer.store("bilateral", [part for part, _ in made] + [o.encoded for o in compose(result, images)])

    steps = ["thumb:S:900", "thumb:S:904", "thumb:S:902", "thumb:S:901"]
    seen = viewer.look("bilateral", images[0].instance.study_instance_uid, steps)

    assert_nothing_broke(seen)
    assert "ALN metastasis risk: 73.12 %" in seen.texts["thumb:S:900"]
    assert "ALN metastasis risk: 4.20 %" in seen.texts["thumb:S:904"]
    assert all("NOT FOR CLINICAL USE" in seen.texts[step] for step in steps[:2])
    assert "LEFT axilla: estimated risk is HIGH." in seen.texts["thumb:S:902"]
    assert "RIGHT axilla: probability of nodal metastasis 4.2 %" in seen.texts["thumb:S:902"]
    assert has_red_band(seen.shots[4])
    assert not has_red_band(seen.shots[1])


def test_no_estimate_is_a_page_and_a_picture(viewer: Viewer) -> None:
    """Where there is no number, the reason is read as text and seen as a picture."""
    made = study("none", [("L", "MLO")])
    images = [image for _, image in made]
    reason = "the images differ too much from those the model was trained on"
    result = builders.result([NoEstimate(Side.L, reason)], images)
    viewer.store("none", [part for part, _ in made] + [o.encoded for o in compose(result, images)])

    seen = viewer.look("none", images[0].instance.study_instance_uid, ["thumb:S:902", "thumb:S:903"])

    assert_nothing_broke(seen)
    assert reason in seen.texts["thumb:S:902"]
    assert "metastasis risk:" not in "".join(seen.texts.values())
    assert has_red_band(seen.shots[2])


def test_names_of_any_script_are_shown_beside_version_2(viewer: Viewer) -> None:
    """A Greek name is shown as written, and the version stands in the thumbnail's words."""
    made = study("greek", [("L", "MLO")], PatientName="ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ")
    images = [image for _, image in made]
    first = compose(builders.result(None, images), images)
    before = {o.role: o.reference for o in first}
    second = compose(builders.result(None, images, version=2, predecessors=before), images)
    viewer.store("greek", [part for part, _ in made] + [o.encoded for o in (*first, *second)])

    seen = viewer.look("greek", images[0].instance.study_instance_uid, ["thumb:S:910"])

    assert_nothing_broke(seen)
    assert "AI ALN risk v2 L rep" in seen.texts["load"]
    assert "AI ALN risk v1 L rep" in seen.texts["load"]


def test_the_check_can_fail(viewer: Viewer) -> None:
    """A group without a region, which no validator objects to, is seen to break the viewer."""
    made = study("nocoord", [("L", "MLO")])
    images = [image for _, image in made]
    objects = compose(builders.result(None, images), images)
    ds = dcmread(BytesIO(objects[0].encoded))
    group = ds.ContentSequence[-1].ContentSequence[0]
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            del item.ContentSequence
    buffer = BytesIO()
    ds.save_as(buffer)
    viewer.store("nocoord", [made[0][0], buffer.getvalue()])

    seen = viewer.look("nocoord", images[0].instance.study_instance_uid, ["thumb:S:900"])

    assert seen.complaints != []
