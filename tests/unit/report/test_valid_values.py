"""What the standard says of values: one that is not of its VR, or one too many, is refused by its attribute's name."""

from collections.abc import Callable
from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import validate_value

from agent.core.errors import Permanent
from agent.report import rules_value
from agent.report.draft import Draft
from agent.report.levels import levels
from agent.report.slot import Finished
from agent.report.validate import validate
from tests import builders
from tests.refusing import refusal
from tests.unit.report.broken import HEATMAP, SR, TEXT, finished
from tests.unit.report.conftest import DEVICE


@pytest.fixture(scope="module")
def draft() -> Draft:
    """One axilla with one image."""
    image = builders.source_image()
    return Draft.of(builders.result(None, [image]), [image], DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> dict[str, Finished]:
    """Its objects by role."""
    return {one.slot.role: one for one in finished(draft)}


def element(keyword: str, value: Any, vr: str = "") -> DataElement:
    """Return an element with a value that pydicom itself would not let pass."""
    return DataElement(keyword, vr or dictionary_VR(keyword), value, validation_mode=config.IGNORE)


def with_element(one: Finished, *elements: DataElement) -> Finished:
    """Return the object with other elements at its top level."""
    ds = Dataset()
    for kept in one.ds:
        ds.add(copy(kept))
    for added in elements:
        ds.add(added)
    return Finished(one.slot, ds, one.needs)


def broken(draft: Draft, one: Finished) -> dict[str, list[str]]:
    """Return the attributes that break each rule on values."""
    whole = levels(one.ds)
    told = {rule.__name__: list(rule(draft, one, whole)) for rule in rules_value.RULES}
    return {rule: attributes for rule, attributes in told.items() if attributes}


UIDS, CODES = "uids_are_valid", "code_strings_are_upper_case"
FORM, NUMBER = "values_fit_their_representation", "multiplicities_are_the_dictionarys"
BAD: list[tuple[str, str, Any]] = [
    (UIDS, "SeriesInstanceUID", "1.2.03"),
    (UIDS, "SeriesInstanceUID", "1.2..3"),
    (UIDS, "SeriesInstanceUID", "1.2.3."),
    (UIDS, "SeriesInstanceUID", "1.2.x"),
    (UIDS, "SeriesInstanceUID", "1.2.٣"),
    (UIDS, "SeriesInstanceUID", "5"),
    (UIDS, "SeriesInstanceUID", "1." + "2" * 63),
    (CODES, "BodyPartExamined", "Breast"),
    (CODES, "BodyPartExamined", "A" * 17),
    (CODES, "BodyPartExamined", "BREAST-L"),
    (CODES, "ImageType", ["DERIVED", "secondary"]),
    (FORM, "SeriesDescription", "x" * 65),
    (FORM, "SeriesDescription", "two\nlines"),
    (FORM, "SeriesDescription", "a\x00"),
    (FORM, "AcquisitionNumber", 2**31),
    (FORM, "ImageComments", "x" * 10241),
    (FORM, "ImageComments", "\x07"),
    (FORM, "DerivationDescription", "x" * 1025),
    (FORM, "StationName", "x" * 17),
    (FORM, "StationAETitle", "x" * 17),
    (FORM, "SeriesDate", "20260230"),
    (FORM, "SeriesDate", "2026021"),
    (FORM, "SeriesDate", "2026-02-01"),
    (FORM, "SeriesTime", "2400"),
    (FORM, "SeriesTime", "10:15"),
    (FORM, "SeriesTime", "101500.1234567"),
    (FORM, "AcquisitionDateTime", "2026-01-01"),
    (FORM, "PixelSpacing", ["0.1", "0.12345678901234567"]),
    (FORM, "PixelSpacing", ["0.1", "nan"]),
    (FORM, "OperatorsName", "x" * 65),
    (FORM, "OperatorsName", "a=b=c=d"),
    (FORM, "Rows", 65536),
    (FORM, "Rows", -1),
    (FORM, "PixelAspectRatio", [1, -(2**31) - 1]),
    (FORM, "EncapsulatedDocument", b"odd"),
    (FORM, "PixelData", b"odd"),
    (FORM, "ExposureTimeInms", float("nan")),
    (NUMBER, "SeriesDescription", ["one", "two"]),
    (NUMBER, "PixelSpacing", ["0.1"]),
    (NUMBER, "PixelSpacing", ["0.1", "0.1", "0.1"]),
    (NUMBER, "ImagePositionPatient", ["1", "2"]),
    (NUMBER, "PatientSexNeutered", ["ALTERED", "UNALTERED"]),
]


@pytest.mark.parametrize(("rule", "keyword", "value"), BAD, ids=[f"{n}-{b[1]}" for n, b in enumerate(BAD)])
def test_bad_value_is_found(draft: Draft, sound: dict[str, Finished], rule: str, keyword: str, value: Any) -> None:
    """The rule says which attribute, and nothing of its value."""
    assert broken(draft, with_element(sound[HEATMAP], element(keyword, value))) == {rule: [keyword]}


GOOD: list[tuple[str, Any]] = [
    ("SeriesInstanceUID", "1.2.0"),
    ("SeriesInstanceUID", "2.25." + "9" * 39),
    ("BodyPartExamined", "AXILLA_1 2"),
    ("SeriesDescription", "Ω" * 64),
    ("ImageComments", "two\r\nlines"),
    ("SeriesDate", "20240229"),
    ("SeriesTime", "235960.123456"),
    ("SeriesTime", "10"),
    ("AcquisitionDateTime", "20260101101500.5+0100"),
    ("PixelSpacing", ["1.5e-03", "+.5"]),
    ("OperatorsName", "A^B=Ω=Ψ"),
    ("OtherPatientNames", ["a", "b"]),
    ("SeriesDescription", ""),
    ("WindowCenter", ["1", "2", "3"]),
    ("Rows", 65535),
]


@pytest.mark.parametrize(("keyword", "value"), GOOD, ids=[f"{n}-{g[0]}" for n, g in enumerate(GOOD)])
def test_good_value_is_not_found(draft: Draft, sound: dict[str, Finished], keyword: str, value: Any) -> None:
    """Nothing is refused that the standard allows."""
    assert broken(draft, with_element(sound[HEATMAP], element(keyword, value))) == {}


def test_other_representation_than_the_dictionarys_is_found(draft: Draft, sound: dict[str, Finished]) -> None:
    """An attribute has the VR that its reader expects."""
    assert broken(draft, with_element(sound[HEATMAP], element("SeriesDescription", "x", "SH"))) == {
        "representations_are_the_dictionarys": ["SeriesDescription"]
    }


def test_private_attribute_is_looked_at_by_its_representation_alone(draft: Draft, sound: dict[str, Finished]) -> None:
    """No dictionary knows it."""
    private = DataElement(0x00091001, "LO", ["a", "b"])
    wrong = DataElement(0x00091001, "LO", "x" * 65, validation_mode=config.IGNORE)
    assert broken(draft, with_element(sound[HEATMAP], private)) == {}
    assert broken(draft, with_element(sound[HEATMAP], wrong)) == {FORM: ["(0009,1001)"]}


def test_what_the_source_image_says_is_repeated_as_it_is(draft: Draft, sound: dict[str, Finished]) -> None:
    """A hospital's number of 20 letters does not stop its report: identity equals, letter by letter."""
    given = [element("AccessionNumber", "x" * 20), element("PatientSex", "female"), element("StudyDate", "2026-01-05")]
    assert broken(draft, with_element(sound[HEATMAP], *given)) == {}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_uid_of_the_source_image_is_repeated_as_it_is() -> None:
    """Objects go into the study that is there, whatever its UID looks like."""
    image = builders.source_image(builders.mammogram(StudyInstanceUID="1.2.03.4"))
    draft = Draft.of(builders.result(None, [image]), [image], DEVICE)
    assert refusal(validate, draft, finished(draft)) == ""


def spoil(ds: Dataset, change: Callable[[Dataset], object]) -> None:
    """Change the first content item of a group."""
    change(ds.ContentSequence[-1].ContentSequence[0])


@pytest.mark.parametrize(
    ("role", "keyword", "value"), [(SR, "UID", "1.02"), (TEXT, "TextValue", "\x07"), (SR, "CodeValue", "x" * 17)]
)
def test_value_of_an_item_is_refused_with_its_path(
    draft: Draft, sound: dict[str, Finished], role: str, keyword: str, value: str
) -> None:
    """Items are looked into, at any depth; the refusal names role, rule and path."""

    def spoiled(ds: Dataset) -> bool:
        for one in ds:
            if one.VR == "SQ" and any(spoiled(item) for item in one.value):
                return True
        if keyword in ds:
            kept.append((ds, ds[keyword]))
            ds[keyword] = element(keyword, value)
        return keyword in ds

    kept: list[tuple[Dataset, DataElement]] = []
    assert spoiled(sound[role].ds)
    ((ds, before),) = kept
    try:
        with pytest.raises(Permanent, match=rf"^{role} breaks the rule \w+: (\w+\.)+{keyword}$"):
            validate(draft, list(sound.values()))
    finally:
        ds[keyword] = before
    validate(draft, list(sound.values()))


VRS = ["AE", "AS", "CS", "DA", "DS", "DT", "LO", "LT", "SH", "ST", "TM", "UI"]
LETTERS = st.text(st.characters(codec="ascii", exclude_characters="\\"), max_size=70) | st.from_regex(
    r"[0-9. :+-eE]{1,20}", fullmatch=True
)


@given(vr=st.sampled_from(VRS), value=LETTERS)
def test_what_passes_here_passes_pydicom(vr: str, value: str) -> None:
    """Another reader of the same standard finds nothing wrong with a value that is let through."""
    accepted = {
        "UI": lambda v: len(v) <= 64 and rules_value.UID.fullmatch(v) is not None,
        "CS": lambda v: rules_value.CODE_STRING.fullmatch(v) is not None,
    }.get(vr, rules_value.REPRESENTATIONS.get(vr))
    assert accepted is not None
    if value and accepted(value):
        validate_value(vr, value, config.RAISE)


@given(st.dates(), st.times())
def test_every_moment_passes(day: Any, time: Any) -> None:
    """Dates and times as we write them are dates and times."""
    assert rules_value.REPRESENTATIONS["DA"](f"{day:%Y%m%d}".rjust(8, "0"))
    assert rules_value.REPRESENTATIONS["TM"](time.strftime("%H%M%S.%f"))
