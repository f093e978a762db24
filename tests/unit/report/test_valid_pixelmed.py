"""What PixelMed's DicomSRValidator says of our documents: it knows the templates, TID 1500 among them."""

import subprocess
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import tree
from agent.report.compose import Composer, Language
from tests import peers
from tests.unit.report import overlays, scenes
from tests.unit.report.conftest import DEVICE
from tests.unit.report.test_valid_reading import four_dimensional, mixed, no_estimate

EXPECTED = ("Content Item not in template",)  # what every document with private content has
DOCUMENTS = frozenset({Kind.SR, Kind.TEXT_SR, Kind.KEY_OBJECT, Kind.REJECTION})
FOUND = {
    Kind.SR: "Found Root Template TID_1500 (MeasurementReport)",
    Kind.TEXT_SR: "Found EnhancedSR IOD",
    Kind.KEY_OBJECT: "Found KeyObjectSelectionDocument IOD",
    Kind.REJECTION: "Found KeyObjectSelectionDocument IOD",
}


SR, RESERVE, TEXT = "sr:L", "sr:L:comprehensive", "text_sr"


def documents() -> dict[str, tuple[Kind, Dataset]]:
    """Return one document of each form: an SR takes PixelMed a second of a core."""
    english, german = overlays.COMPOSER, Composer(DEVICE, language=Language.GERMAN)
    result, images = overlays.views()
    made = {
        "bilateral": (english(result, images), (SR, RESERVE)),
        "superseding": (english(overlays.second(result, images), images), (SR, TEXT, "key_object::1", "rejection::1")),
        "German": (german(*mixed()), (SR, TEXT)),
        "no estimate": (english(*no_estimate()), (TEXT,)),
        "four modalities": (english(*scenes.everything()), (SR,)),
        "4-D": (english(*four_dimensional()), (SR,)),
        "nsln": (english(replace(result, question="nsln"), images), (SR,)),
        "histology": (english(*scenes.slides()), (SR, RESERVE, TEXT)),
    }
    return {
        f"{name} {one.role}": (one.kind, dcmread(BytesIO(one.encoded)))
        for name, (objects, roles) in made.items()
        for one in objects
        if one.role in roles
    }


def with_two_procedures(ds: Dataset) -> Dataset:
    """Return an SR whose procedure reported is there twice: the template takes one."""
    broken = deepcopy(ds)
    (procedure,) = tree.named(broken, codes.PROCEDURE_REPORTED)
    broken.ContentSequence.append(deepcopy(procedure))
    return broken


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[Kind, Dataset]]:
    """The documents, and one with a planted fault."""
    made = documents()
    kind, ds = made["4-D sr:L"]
    return made | {"broken": (kind, with_two_procedures(ds))}


@pytest.fixture(scope="module")
def said(
    judged: Mapping[str, tuple[Kind, Dataset]], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, list[str]]:
    """What it says of each, line by line, in one process."""
    command, folder = peers.pixelmed(), tmp_path_factory.mktemp("pixelmed")
    paths = {str(folder / f"{number}.dcm"): name for number, name in enumerate(judged)}
    for path, name in paths.items():
        judged[name][1].save_as(path)
    done = subprocess.run([*command, *paths], capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, done.stderr
    _, *parts = done.stdout.split("judged: ")
    lines = [part.splitlines() for part in parts]
    return {paths[path]: rest for path, *rest in lines}


def test_no_document_has_an_error(judged: Mapping[str, tuple[Kind, Dataset]], said: Mapping[str, list[str]]) -> None:
    """It finds each one's template or object, and nothing wrong with it but what no template has."""
    assert set(said) == set(judged)
    for name in set(said) - {"broken"}:
        lines = said[name]
        assert FOUND[judged[name][0]] in lines, name
        assert "IOD validation complete" in lines, name
        assert [line for line in lines if "Error" in line] == [], name
        assert [line for line in lines if line.startswith("Warning") and not line.endswith(EXPECTED)] == [], name


def test_every_kind_of_document_is_judged(judged: Mapping[str, tuple[Kind, Dataset]]) -> None:
    """Also a Comprehensive SR, which stands for a Comprehensive 3D one."""
    classes = {ds.SOPClassUID for _, ds in judged.values()}
    assert {kind for kind, _ in judged.values()} == DOCUMENTS
    assert {Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage} < classes


def test_it_finds_what_is_wrong_and_nothing_else(said: Mapping[str, list[str]]) -> None:
    """The checks above can fail; of a region on our own capture the planted fault is all that it finds."""
    errors = [line for line in said["broken"] if "Error" in line]
    assert errors
    assert [line for line in errors if "(121058,DCM" not in line] == []
