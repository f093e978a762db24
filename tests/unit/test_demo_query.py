"""C-FIND matching of the demo's small archive."""

import pytest
from pydicom.dataset import Dataset

from demo.query import level_keys, matches


def stored() -> Dataset:
    """Return the header of a stored image."""
    ds = Dataset()
    ds.PatientID, ds.PatientName = "P1", "Phantom^One"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.1", "1.2", "1.3"
    ds.StudyDate, ds.Modality = "20261101", "MG"
    return ds


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("PatientID", "P1", True),
        ("PatientID", "P2", False),
        ("PatientID", "P*", True),
        ("PatientName", "Phantom^?ne", True),
        ("PatientName", "", True),
        ("AccessionNumber", "", True),
        ("AccessionNumber", "A1", False),
        ("StudyInstanceUID", ["1.0", "1.1"], True),
        ("StudyInstanceUID", ["1.0", "1.2"], False),
        ("SOPInstanceUID", "1.3", True),
        ("StudyDate", "20261101", True),
        ("StudyDate", "20261001-20261130", True),
        ("StudyDate", "20261102-", False),
        ("StudyDate", "-20261031", False),
        ("StudyDate", "-20261101", True),
    ],
)
def test_key_matches_as_the_standard_says(keyword: str, value: str | list[str], found: bool) -> None:
    """Universal, single value, wildcard, list of UIDs and range (PS3.4 C.2.2.2)."""
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    setattr(query, keyword, value)
    assert matches(query, stored()) is found


def test_level_names_the_unique_key_and_the_keys_asked_for() -> None:
    """The level itself is no key."""
    query = Dataset()
    query.QueryRetrieveLevel, query.Modality = "SERIES", ""
    assert level_keys(query) == ([0x00080060], "SeriesInstanceUID")


@pytest.mark.parametrize("level", ["", "FRAME"])
def test_unknown_level_is_refused(level: str) -> None:
    """Nothing is guessed."""
    query = Dataset()
    query.QueryRetrieveLevel = level
    with pytest.raises(ValueError, match=f"^{level}$"):
        level_keys(query)
