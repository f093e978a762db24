"""Every UID we mint: UUIDs of version 5 in 2.25 form (PS3.5 B.2), so that making a result again gives the same ones."""

from typing import Final
from uuid import UUID, uuid5

SEPARATOR: Final = "\x1f"  # cannot stand in any part, so no two lists of parts give the same name


def derived(namespace: UUID, *parts: object) -> str:
    """Return the UID that belongs to `parts` within a namespace."""
    return f"2.25.{uuid5(namespace, SEPARATOR.join(map(str, parts))).int}"


def device_uid(installation: UUID) -> str:
    """Device UID (0018,1002) and Device Observer UID (121012): one per installation, kept for ever."""
    return derived(installation, "device")


def mint(
    *,
    installation: UUID,
    case_uuid: UUID,
    version: int,
    question: str,
    axilla: str,
    kind: str,
    sop_class_uid: str,
    index: int,
) -> str:
    """Return the SOP Instance UID of one result object; other content always has other arguments."""
    return derived(installation, "instance", case_uuid, version, question, axilla, kind, sop_class_uid, index)


def series_uid(*, installation: UUID, case_uuid: UUID, version: int, question: str, role: str, study_uid: str) -> str:
    """Return the UID of the series of one role of a version within one study."""
    return derived(installation, "series", case_uuid, version, question, role, study_uid)


def tracking_uid(installation: UUID, case_uuid: UUID, version: int, question: str, axilla: str) -> str:
    """Return the Tracking Unique Identifier (112040) of one axilla's answer: new in each version."""
    return derived(installation, "tracking", case_uuid, version, question, axilla)
