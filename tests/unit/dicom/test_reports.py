"""Which objects are a radiologist's report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.ports import Record
from agent.dicom.reports import DOCUMENT_CLASSES, SR_CLASSES, TITLES, is_report
from tests.fakes.instances import mammogram, meta_of, record, record_of
from tests.reading import ENCAPSULATED_PDF, code, observer, report

CLASSES = "1.2.840.10008.5.1.4.1.1"
NO_REPORTS = {
    "Key Object Selection": f"{CLASSES}.88.59",
    "Mammography CAD SR": f"{CLASSES}.88.50",
    "X-Ray Radiation Dose SR": f"{CLASSES}.88.67",
    "Procedure Log": f"{CLASSES}.88.40",
    "Grayscale Softcopy Presentation State": f"{CLASSES}.11.1",
    "Encapsulated STL": f"{CLASSES}.104.3",
}


@pytest.mark.parametrize("sop_class_uid", [*SR_CLASSES, *DOCUMENT_CLASSES])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_a_verified_report_is_one(sop_class_uid: str, syntax: str) -> None:
    """In every class that a report has, however it is encoded."""
    assert is_report(record(report(SOPClassUID=sop_class_uid), syntax))


@pytest.mark.parametrize(("scheme", "value"), list(TITLES))
def test_every_title_of_a_report_counts(scheme: str, value: str) -> None:
    """By its code, whatever its meaning says."""
    assert is_report(record(report(title=(value, scheme))))


NO_TITLES = (
    ("DCM", "126000"),
    ("DCM", "111036"),
    ("DCM", "113701"),
    ("DCM", "125000"),
    ("LN", "11502-2"),
    ("DCM", "18748-4"),
    ("99AI", "R"),
)


@pytest.mark.parametrize(("scheme", "value"), NO_TITLES)
def test_measurements_cad_and_dose_are_no_report(scheme: str, value: str) -> None:
    """Even where a person verified them."""
    assert not is_report(record(report(title=(value, scheme))))


@pytest.mark.parametrize("sop_class_uid", NO_REPORTS.values(), ids=list(NO_REPORTS))
def test_other_classes_are_no_report(sop_class_uid: str) -> None:
    """Whatever they say of themselves."""
    assert not is_report(record(report(SOPClassUID=sop_class_uid)))


@pytest.mark.parametrize(
    "changes",
    [
        {"VerificationFlag": "UNVERIFIED"},
        {"VerificationFlag": None},
        {"CompletionFlag": "PARTIAL"},
        {"CompletionFlag": None},
        {"ConceptNameCodeSequence": None},
        {"PreliminaryFlag": "PRELIMINARY"},
        {"ContentSequence": [observer("121007")]},
    ],
)
def test_what_no_person_has_verified_is_no_report(changes: dict[str, object]) -> None:
    """Nor what is not complete, has no title, says that it is preliminary, or was observed by a device."""
    assert not is_report(record(report(**changes)))


def test_a_final_report_says_so_or_nothing() -> None:
    """The flag may be left out (type 3); of a document, too, PRELIMINARY is believed."""
    assert is_report(record(report(PreliminaryFlag="FINAL")))
    pdf = report(SOPClassUID=ENCAPSULATED_PDF, CompletionFlag=None, PreliminaryFlag="PRELIMINARY")
    assert not is_report(record(pdf))


@pytest.mark.parametrize("order", [("121006", "121007"), ("121007", "121006")])
def test_a_person_may_stand_beside_a_device(order: tuple[str, ...]) -> None:
    """A radiologist's report names the measuring device, too: it stays the radiologist's."""
    assert is_report(record(report(ContentSequence=[observer(kind) for kind in order])))


def test_a_document_needs_no_completion_flag() -> None:
    """Encapsulated documents have none; but verified it must be, since devices write such documents, too."""
    assert is_report(record(report(SOPClassUID=ENCAPSULATED_PDF, CompletionFlag=None)))
    assert not is_report(record(report(SOPClassUID=ENCAPSULATED_PDF, CompletionFlag=None, VerificationFlag=None)))


def test_a_report_whose_observer_is_not_told_is_one() -> None:
    """Many leave it out."""
    assert is_report(record(report(ContentSequence=None)))
    assert is_report(record(report(ContentSequence=[code("121070", "DCM")])))


def test_what_the_request_calls_a_report_must_be_one() -> None:
    """An image under a false SOP class."""
    assert not is_report(record(mammogram(), sop_class_uid=next(iter(SR_CLASSES))))
    assert not is_report(record(mammogram()))


@given(st.binary(max_size=64))
def test_bytes_are_no_report(payload: bytes) -> None:
    """Nor does it raise anything."""
    broken: Record = record_of(payload, meta_of(report()))
    assert not is_report(broken)
