"""C-FIND matching of the small archive (PS3.4 C.2.2.2): single value, list of UIDs, wildcard, date range, universal."""

from fnmatch import fnmatchcase

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
IGNORED = {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}


def level_keys(query: Dataset) -> tuple[list[BaseTag], str]:
    """Return the tags asked for, and the keyword of the unique key of the query's level.

    Raises
    ------
    ValueError
        If the level is none of PATIENT, STUDY, SERIES, IMAGE.
    """
    level = str(query.get("QueryRetrieveLevel", ""))
    if level not in UNIQUE:
        raise ValueError(level)
    return [e.tag for e in query if e.keyword not in IGNORED], UNIQUE[level]


def matches(query: Dataset, header: Dataset) -> bool:
    """Whether an instance matches every key of the query; sequences match universally."""
    return all(_matches(key, header) for key in query if key.keyword not in IGNORED and key.VR != "SQ")


def _matches(key: DataElement, header: Dataset) -> bool:
    if key.is_empty:
        return True
    value = str(header.get(key.keyword) or "")
    if key.VR == "UI":
        return value in ([key.value] if isinstance(key.value, str) else list(key.value))
    wanted = str(key.value)
    if key.VR in ("DA", "TM", "DT") and "-" in wanted:
        first, _, last = wanted.partition("-")
        return first <= value and (not last or value <= last)
    return fnmatchcase(value, wanted)
