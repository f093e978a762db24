"""One digest of what an object says beside its pixels: the same in every encoding, another for every correction."""

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from agent.dicom.attributes import attributes_sha256
from agent.dicom.structure import outline
from tests.fakes.instances import BIG_ENDIAN, DEFLATED, IMPLICIT, encode, mammogram

EXPLICIT = "1.2.840.10008.1.2.1"


def full(**attributes: object) -> Dataset:
    """Return a mammogram that says much, in nested items too."""
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodeMeaning = "T-1", "Größe"
    item.PatientOrientation = ["L", "F"]
    item.FrameAcquisitionNumber = 7
    item.ViewCodeSequence = Sequence([code, code])
    values: dict[str, object] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": "20261101",
        "ImagerPixelSpacing": [0.1, 0.1],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "BitsStored": 12,
        "FrameIncrementPointer": 0x00181063,
        "StudyDescription": "Mammographie früh",
        "SharedFunctionalGroupsSequence": Sequence([item]),
        **attributes,
    }
    return mammogram(**values)


def digest(ds: Dataset, transfer_syntax_uid: str = EXPLICIT) -> str:
    """Return what is looked at."""
    return attributes_sha256(outline(encode(ds, transfer_syntax_uid), transfer_syntax_uid))


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_an_encoding_changes_nothing(transfer_syntax_uid: str) -> None:
    """Implicit, big endian and deflated say the same."""
    assert digest(full(), transfer_syntax_uid) == digest(full())


def nested(ds: Dataset) -> None:
    """Correct what an item says."""
    ds.SharedFunctionalGroupsSequence[0].PatientOrientation = ["R", "F"]


def deeper(ds: Dataset) -> None:
    """Take an item out."""
    del ds.SharedFunctionalGroupsSequence[0].ViewCodeSequence[1]


def private(ds: Dataset) -> None:
    """Add a private block, with a sequence that nests."""
    item = Dataset()
    item.StudyDate = "19990101"
    ds.private_block(0x0019, "ACME", create=True).add_new(1, "LO", "mine")
    ds.private_block(0x0019, "ACME").add_new(2, "SQ", [item])


@pytest.mark.parametrize(
    "change",
    [
        {"StudyDate": "20250101"},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"ImagerPixelSpacing": [0.2, 0.1]},
        {"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]},
        {"PatientOrientation": ["P", "L"]},
        {"RescaleSlope": "2"},
        {"BitsStored": 10},
        {"PixelRepresentation": 1},
        {"StudyDescription": "Mammographie spät"},
        {"SharedFunctionalGroupsSequence": None},
        nested,
        deeper,
    ],
)
def test_a_correction_is_told(change: dict[str, object] | Callable[[Dataset], None]) -> None:
    """Whatever anything downstream reads makes another digest, nested too."""
    other = full(**(change if isinstance(change, dict) else {}))
    if not isinstance(change, dict):
        change(other)
    assert digest(other) != digest(full())


@pytest.mark.parametrize(
    "change",
    [
        {"PixelData": b"\7\0" * 4},
        {"PlanarConfiguration": 1},
        {"LossyImageCompression": "01", "LossyImageCompressionRatio": "10"},
        {"BitsAllocated": 32},
        {"StudyDescription": "Mammographie früh "},
        {"PatientOrientation": ""},
        {"PatientName": "Doe^Jane"},
        {"RetrieveAETitle": "ARCHIVE"},
        {"PerformedProtocolCodeSequence": Sequence()},
        {"SpecificCharacterSet": "ISO_IR 192"},
        private,
    ],
)
def test_what_transcoding_changes_is_left_out(change: dict[str, object] | Callable[[Dataset], None]) -> None:
    """Padding, pixels, what is empty, what a codec or an archive writes anew, and private attributes."""
    other = full(**(change if isinstance(change, dict) else {}))
    if not isinstance(change, dict):
        change(other)
    assert digest(other) == digest(full())


def test_colour_spaces_are_one_and_polarity_is_not() -> None:
    """A codec turns RGB into YBR; nobody turns MONOCHROME2 into MONOCHROME1 without saying something else."""
    rgb, ybr = (digest(full(PhotometricInterpretation=one)) for one in ("RGB", "YBR_FULL_422"))
    assert rgb == ybr != digest(full())
