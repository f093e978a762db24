"""What PixelMed's DicomSRValidator says of our documents: it knows the templates, TID 1500 among them."""

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from agent.dicom import codes
from agent.report import tree
from agent.report.compose import Composer
from tests import peers
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE
from tests.unit.report.test_valid_reading import four_dimensional, mixed

EXPECTED = ("Content Item not in template",)  # what every document with private content has


def documents() -> dict[str, Dataset]:
    """Return a few documents: a run takes PixelMed five seconds of a core."""
    made = {
        f"{name} {o.role}": dcmread(BytesIO(o.encoded))
        for name, scene in (("four", scenes.everything()), ("4-D", four_dimensional()), ("mixed", mixed()))
        for o in Composer(DEVICE)(*scene)
        if o.role in ("sr:L", "text_sr")
    }
    whole = {name: made[name] for name in ("four sr:L", "mixed text_sr")}
    return whole | {"broken": with_two_procedures(made["4-D sr:L"])}


def with_two_procedures(ds: Dataset) -> Dataset:
    """Return an SR whose procedure reported is there twice: the template takes one."""
    broken = deepcopy(ds)
    (procedure,) = tree.named(broken, codes.PROCEDURE_REPORTED)
    broken.ContentSequence.append(deepcopy(procedure))
    return broken


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """What it says of each, line by line; two run at a time."""
    command, folder = peers.pixelmed(), tmp_path_factory.mktemp("pixelmed")

    def judge(path: Path) -> list[str]:
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, errors="replace", timeout=300)
        return (done.stdout + done.stderr).splitlines()

    paths = {}
    for number, (name, ds) in enumerate(documents().items()):
        paths[name] = folder / f"{number}.dcm"
        ds.save_as(paths[name])
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(judge, paths.values()), strict=True))


def test_report_has_no_error(said: Mapping[str, list[str]]) -> None:
    """It finds the template, and nothing wrong with it but what no template has."""
    lines = said["four sr:L"]
    assert "Found Root Template TID_1500 (MeasurementReport)" in lines
    assert "IOD validation complete" in lines
    assert [line for line in lines if "Error" in line] == []
    assert [line for line in lines if line.startswith("Warning") and not line.endswith(EXPECTED)] == []


def test_text_has_no_error(said: Mapping[str, list[str]]) -> None:
    """An Enhanced SR without a template."""
    assert "Found EnhancedSR IOD" in said["mixed text_sr"]
    assert "IOD validation complete" in said["mixed text_sr"]
    assert [line for line in said["mixed text_sr"] if "Error" in line] == []


def test_it_finds_what_is_wrong_and_nothing_else(said: Mapping[str, list[str]]) -> None:
    """The checks above can fail; of a region on our own capture the planted fault is all that it finds."""
    errors = [line for line in said["broken"] if "Error" in line]
    assert errors
    assert [line for line in errors if "(121058,DCM" not in line] == []
