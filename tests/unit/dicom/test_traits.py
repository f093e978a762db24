"""What a header says beside the identifiers: kind, descriptions, anatomy, sides, pixels, and whose a damaged one is."""

import hashlib
from datetime import date
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from agent.core.demographics import Demographics
from agent.core.errors import Rejected
from agent.core.instance import Damaged, Instance, Traits
from agent.core.patient import PatientKey
from agent.dicom.header import read_header
from tests.fakes.instances import BIG_ENDIAN, DEFLATED, IMPLICIT, encode, mammogram, meta_of, record, record_of, uid

EXPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"


def read(syntax: str = EXPLICIT, **attributes: Any) -> Instance:
    """Read a mammogram with these attributes."""
    return read_header(record(mammogram(**attributes), syntax), None)


def traits(**attributes: Any) -> Traits:
    """What else it says."""
    return read(**attributes).traits


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, meaning: str, **more: Any) -> Dataset:
    """A code of SNOMED CT."""
    return item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning, **more)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_traits_in_every_encoding(syntax: str) -> None:
    """Each attribute is one trait."""
    said = read(
        syntax,
        SpecificCharacterSet="ISO_IR 192",
        ImageType=["ORIGINAL", "PRIMARY", "", "X"],
        StudyDescription="Brust",
        SeriesDescription="Achselhöhle",
        ProtocolName="p",
        BodyPartExamined="BREAST",
        ImageComments="one\r\ntwo",
        ContrastBolusAgent="Gd",
        TemporalPositionIdentifier=3,
        AcquisitionTime="101500",
        RequestedProcedureDescription="asked",
        PerformedProcedureStepDescription="done",
        DerivationDescription="lossy",
        DerivationCodeSequence=[code("113040", "Lossy Compression")],
        LossyImageCompression="01",
        EstimatedRadiographicMagnificationFactor="1.8",
        EchoTime="90.5",
        DiffusionBValue=800.0,
        QualityControlImage="YES",
        StationName="ROOM1",
        Manufacturer="ACME",
        ManufacturerModelName="One",
    ).traits
    assert said == Traits(
        image_type=("ORIGINAL", "PRIMARY", "", "X"),
        study_description="Brust",
        series_description="Achselhöhle",
        protocol_name="p",
        body_part="BREAST",
        comments=("one  two",),
        contrast="Gd",
        temporal_position=3,
        acquired_at="101500",
        sides=("L",),
        procedure="done",
        derivation=("lossy", "Lossy Compression"),
        lossy=True,
        magnification=1.8,
        echo_time_ms=90.5,
        b_value=800.0,
        quality_control=True,
        station="ROOM1",
        scanner="ACME One",
    )


def test_anatomy_with_its_modifiers_of_object_frame_and_specimen() -> None:
    """Meanings and codes, each once."""
    left = code("7771000", "Left")
    breast = code("76752008", "Breast", AnatomicRegionModifierSequence=[left])
    node = code("59441001", "Lymph node")
    axilla = code("91470000", "Axilla")
    said = traits(
        AnatomicRegionSequence=[breast],
        SpecimenDescriptionSequence=[
            item(SpecimenShortDescription="SLN 1", PrimaryAnatomicStructureSequence=[node]),
            item(SpecimenDetailedDescription="whole node", PrimaryAnatomicStructureSequence=[node]),
        ],
        SharedFunctionalGroupsSequence=[item(FrameAnatomySequence=[item(AnatomicRegionSequence=[axilla])])],
    )
    assert said.anatomy == ("Breast", "Left", "Lymph node", "Axilla")
    assert said.anatomy_codes == ("76752008", "7771000", "59441001", "91470000")
    assert said.specimen == ("SLN 1", "whole node")


def test_the_acquisition_context_is_a_comment() -> None:
    """As text or as code."""
    said = traits(
        ImageComments="c",
        AcquisitionContextSequence=[item(TextValue="axilla"), item(ConceptCodeSequence=[code("1", "Level I")])],
    )
    assert said.comments == ("c", "axilla", "Level I")


def frames(*sides: str) -> list[Dataset]:
    """Functional groups of frames of these sides."""
    return [item(FrameAnatomySequence=[item(FrameLaterality=side)]) for side in sides]


@pytest.mark.parametrize(
    ("attributes", "sides"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, ("R", "L")),
        ({"ImageLaterality": "R", "Laterality": "R"}, ("R",)),
        ({"ImageLaterality": "X"}, ()),
        ({"ImageLaterality": "L", "SharedFunctionalGroupsSequence": frames("R")}, ("L", "R")),
        ({"ImageLaterality": None, "PerFrameFunctionalGroupsSequence": frames("L", "R")}, ("B",)),
        ({"ImageLaterality": None, "PerFrameFunctionalGroupsSequence": frames("U", "R")}, ("R",)),
        (
            {
                "AnatomicRegionSequence": [
                    code("76752008", "Breast", AnatomicRegionModifierSequence=[code("24028007", "Right")])
                ]
            },
            ("L", "R"),
        ),
    ],
)
def test_every_side_that_is_stated(attributes: dict[str, Any], sides: tuple[str, ...]) -> None:
    """The image's own first; frames of both sides are an image of both."""
    assert traits(**attributes).sides == sides


def test_the_side_of_the_anatomy_counts_where_nothing_else_says_one() -> None:
    """As some ultrasound scanners write it."""
    right = code("76752008", "Breast", AnatomicRegionModifierSequence=[code("G-A100", "Right")])
    assert read(ImageLaterality=None, AnatomicRegionSequence=[right]).laterality == "R"


@pytest.mark.parametrize("groups", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
def test_the_b_value_of_enhanced_objects(groups: str) -> None:
    """It stands in a functional group; what is no number counts as unsaid."""
    assert traits(**{groups: [item(MRDiffusionSequence=[item(DiffusionBValue=50.0)])]}).b_value == 50
    assert traits(DiffusionBValue=float("inf")).b_value is None


@pytest.mark.parametrize(("written", "number"), [("x", None), ("nan", None), ("2\\3", 2.0)])
def test_numbers_that_are_none_are_unsaid(written: str, number: float | None) -> None:
    """No object is refused for them."""
    payload = encode(mammogram(ManufacturerModelName=written)).replace(b"\x08\0\x90\x10LO", b"\x18\0\x81\0DS")
    assert read_header(record_of(payload, meta_of(mammogram())), None).traits.echo_time_ms == number


def test_a_temporal_position_that_is_no_number_is_unsaid() -> None:
    """As any other."""
    payload = encode(mammogram(ManufacturerModelName="first")).replace(b"\x08\0\x90\x10LO", b"\x20\0\x00\x01IS")
    assert read_header(record_of(payload, meta_of(mammogram())), None).traits.temporal_position is None


def test_long_texts_are_cut_and_unprintable_signs_are_spaces() -> None:
    """A database takes every trait."""
    said = traits(ImageComments="a\0b\x01" + "c" * 5000)
    assert said.comments == ("a b " + "c" * 252,)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            {"PatientName": "Müller^Jo=山", "PatientBirthDate": "19601231", "PatientSex": "F"},
            Demographics("Müller^Jo=山", date(1960, 12, 31), "F"),
        ),
        ({"PatientName": "", "PatientBirthDate": "", "PatientSex": "X"}, Demographics()),
    ],
)
def test_demographics(attributes: dict[str, Any], said: Demographics) -> None:
    """Name as decoded, birth date and sex where they are such."""
    assert read(SpecificCharacterSet="ISO_IR 192", **attributes).demographics == said


def test_accession_number() -> None:
    """Without its padding."""
    assert read(AccessionNumber="A 1").accession_number == "A 1"


# ── pixels ──

PIXELS = b"\1\0\2\0\3\0\4\0"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED])
def test_the_same_pixels_in_every_native_encoding(syntax: str) -> None:
    """One digest; other pixels have another."""
    assert read(syntax).pixels_sha256 == hashlib.sha256(PIXELS).hexdigest()
    assert read(syntax, PixelData=PIXELS[::-1]).pixels_sha256 != read(syntax).pixels_sha256


def test_big_endian_words_are_turned_round_and_bytes_are_not() -> None:
    """As the same image in little endian."""
    assert read(BIG_ENDIAN, PixelData=b"\0\1\0\2\0\3\0\4").pixels_sha256 == read().pixels_sha256
    eight = {"BitsAllocated": 8, "PixelData": b"\1\2\3\4"}
    assert read(BIG_ENDIAN, **eight).pixels_sha256 == read(**eight).pixels_sha256


def test_padding_does_not_count() -> None:
    """What lies behind the pixels that the header measures."""
    assert read(PixelData=PIXELS + b"\0\0").pixels_sha256 == read().pixels_sha256
    assert read(Rows=None, PixelData=PIXELS + b"\0\0").pixels_sha256 != read().pixels_sha256


def compressed(*fragments: bytes, table: bool) -> Instance:
    """A mammogram of these fragments."""
    ds = mammogram(PixelData=encapsulate(list(fragments), has_bot=table))
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    return read_header(record_of(encode(ds), meta_of(ds, JPEG)), None)


def test_compressed_pixels_by_their_fragments() -> None:
    """The Basic Offset Table changes nothing."""
    digest = hashlib.sha256(b"\xff\xd8\xff\xd9" + b"abcd").hexdigest()
    assert compressed(b"\xff\xd8\xff\xd9", b"abcd", table=True).pixels_sha256 == digest
    assert compressed(b"\xff\xd8\xff\xd9", b"abcd", table=False).pixels_sha256 == digest
    assert compressed(b"\xff\xd8\xff\xd9", b"abce", table=False).pixels_sha256 != digest


def test_without_pixels_there_is_no_digest() -> None:
    """As of a report."""
    assert read(PixelData=None).pixels_sha256 == ""


# ── damaged objects ──


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PixelData": b"\1\0"}, "truncated: Pixel Data has 2 of 8 bytes"),
        ({"SeriesInstanceUID": None}, "no Series Instance UID"),
    ],
)
def test_a_damaged_object_says_whose_it_is(attributes: dict[str, Any], reason: str) -> None:
    """Where Patient ID and study can be read."""
    with pytest.raises(Damaged, match=reason) as caught:
        read(**attributes)
    who = (caught.value.patient, caught.value.study_instance_uid, caught.value.modality)
    assert who == (PatientKey("PHANTOM", "P-1"), uid("study"), "MG")


def test_an_object_that_was_cut_off_says_whose_it_is() -> None:
    """Behind the attributes that say so; before them it is rejected without."""
    ds = mammogram()
    payload = encode(ds)
    with pytest.raises(Damaged, match="truncated") as caught:
        read_header(record_of(payload[:-3], meta_of(ds)), "SITE")
    assert caught.value.patient == PatientKey("PHANTOM", "P-1")
    with pytest.raises(Rejected) as early:
        read_header(record_of(payload[: payload.index(b"P-1")], meta_of(ds)), "SITE")
    assert not isinstance(early.value, Damaged)


@pytest.mark.parametrize("attributes", [{"PatientID": None}, {"StudyInstanceUID": None}])
def test_without_patient_or_study_it_is_rejected_alone(attributes: dict[str, Any]) -> None:
    """Nobody's object is filed under nobody."""
    with pytest.raises(Rejected) as caught:
        read(**attributes)
    assert not isinstance(caught.value, Damaged)


def test_what_contradicts_the_request_says_whose_it_is() -> None:
    """It is somebody's all the same."""
    with pytest.raises(Damaged, match="differs from the C-STORE request's"):
        read_header(record(mammogram(), sop_instance_uid="1.2.3"), None)
