"""Make the pictures of docs/viewers.md and the README: `make viewer`, `make demo` (with Orthanc), then this.

usage: PYTHONPATH=. .venv/bin/python docs/make_screenshots.py [viewer] [readme]     without a word both
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from pydicom import dcmread

from demo.pacs_process import free_port
from tests.archives import AGENT, client
from tests.peers import program
from tests.viewer.viewing import Browser, Seen, Step, Viewer, shots_folder, tools_folder
from tests.viewer.web import WebOrthanc, serving

ROOT: Final = Path(__file__).resolve().parent.parent
IMAGES: Final = ROOT / "docs" / "images"
DEMO: Final = ROOT / "demo" / "out"
PATIENT: Final = DEMO / "01-PHANTOM-DEMO-01"
CHOSEN: Final = {  # case and step -> picture
    ("bilateral", "left"): "viewer-report",
    ("bilateral", "text"): "viewer-text",
    ("bilateral", "heatmap-left"): "viewer-heatmap",
    ("clip", "report"): "viewer-clip",
    ("mr4d", "report"): "viewer-dynamic-mr",
    ("none", "summary"): "viewer-no-estimate",
    ("greek", "text"): "viewer-superseded",
}
SIZE, OHIF_SIZE = (1000, 633), (1200, 760)
PAGE_SIZE, PAGE_PICTURE = (1320, 1254), (1100, 1045)  # narrower, the page's table would be cut off
STRIP_SIZE: Final = (1600, 603)
MODALITIES: Final = ("MR Image", "Ultrasound", "Digital Mammography")
GAP: Final = 10


def viewer_pictures(shots: Path) -> None:
    """Reduce those screenshots of the viewer's tests that docs/viewers.md shows."""
    for (case, step), name in CHOSEN.items():
        (shot,) = shots.glob(f"{case}-[0-9]-{step}.png")
        with Image.open(shot) as whole:
            _save(whole.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS), name)


def captures_picture() -> None:
    """Set side by side the first capture of each modality of the demo's first patient."""
    height = STRIP_SIZE[1]
    strip = Image.new("RGB", STRIP_SIZE, "white")
    left = 0
    for path in _first_of_each_modality(sorted(PATIENT.glob("v1-secondary_capture-L-*.dcm"))):
        capture = Image.fromarray(dcmread(path).pixel_array).convert("RGB")
        small = capture.resize((round(capture.width * height / capture.height), height), Image.Resampling.LANCZOS)
        strip.paste(small, (left, 0))
        left += small.width + GAP
    _save(strip.crop((0, 0, left - GAP, height)), "captures")


def _first_of_each_modality(paths: Sequence[Path]) -> list[Path]:
    shown = {p: dcmread(p, stop_before_pixels=True).SourceImageSequence[0].ReferencedSOPClassUID.name for p in paths}
    return [next(p for p, name in shown.items() if name.startswith(modality)) for modality in MODALITIES]


def page_picture(folder: Path) -> None:
    """Take the top of the demo's page, if all its stories held."""
    if "FAILED" in (DEMO / "index.html").read_text():
        raise SystemExit("the demo failed: its page is not shown")
    shot = folder / "page.png"
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder / 'page'}"]
    size = ",".join(map(str, PAGE_SIZE))
    command = [program("chromium"), *flags, f"--window-size={size}", f"--screenshot={shot}", f"{DEMO / 'index.html'}"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 -- our own page
    with Image.open(shot) as whole:
        _save(whole.convert("RGB").resize(PAGE_PICTURE, Image.Resampling.LANCZOS), "demo")


def ohif_picture(folder: Path) -> None:
    """Open the report of the demo's first patient in OHIF, from a copy of the demo's archive."""
    shutil.copytree(DEMO / "pacs", folder / "orthanc")
    orthanc = WebOrthanc(folder / "orthanc", "ORTHANC", free_port(), {AGENT: ("127.0.0.1", free_port())})
    browser = Browser(tools_folder(), folder)
    orthanc.start()
    try:
        with serving(tools_folder() / "ohif", orthanc.http_port) as url:
            seen = _report(Viewer(client("ORTHANC", orthanc.port), url, browser, folder))
    finally:
        browser.close()
        orthanc.kill()
    if seen.complaints or seen.failed:
        raise SystemExit(f"OHIF complains: {seen.complaints + seen.failed}")
    with Image.open(seen.shots["report"]) as whole:
        _save(whole.convert("RGB").resize(OHIF_SIZE, Image.Resampling.LANCZOS), "ohif")


def _report(viewer: Viewer) -> Seen:
    report = dcmread(PATIENT / "v1-sr-L.dcm")
    evidence = report.CurrentRequestedProcedureEvidenceSequence
    evidence = [*evidence, *report.get("PertinentOtherEvidenceSequence", [])]
    studies = list(dict.fromkeys([report.StudyInstanceUID, *(item.StudyInstanceUID for item in evidence)]))
    load, opened = Step("load", until="W:"), Step("report", report.SeriesNumber, until="NOT FOR CLINICAL USE")
    return viewer.look("demo", studies, [load, opened])


def _save(picture: Image.Image, name: str) -> None:
    picture.save(IMAGES / f"{name}.jpg", quality=80, optimize=True)


def main(wanted: Sequence[str]) -> None:
    """Make what is asked for."""
    if "viewer" in wanted:
        viewer_pictures(shots_folder())
    if "readme" in wanted:
        captures_picture()
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            ohif_picture(Path(folder))
            page_picture(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:] or ("viewer", "readme"))
