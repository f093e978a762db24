"""Lineages as they are kept, for whoever reads them."""

from typing import Any, Final

GROUP: Final[dict[str, Any]] = {
    "study_instance_uid": "1.2",
    "series_instance_uid": "1.2.1",
    "acquired_on": "2026-01-05",
    "modality": "MG",
    "laterality": "L",
    "view_position": "CC",
    "role": "mg.cc",
    "rule": "MG-21",
    "left_out": "",
    "barred": "",
}
FACT: Final = {"name": "grade", "known_on": "2026-01-01", "source": "pathology", "value_digest": "aa"}


def image(uid: str, sha: str = "00") -> dict[str, str]:
    """One instance of a group."""
    return {"sop_instance_uid": uid, "sha256": sha, "pixels_sha256": ""}


def lineage() -> dict[str, Any]:
    """One image and one fact."""
    return {
        "schema": 1,
        "made_at": "2026-01-06T09:30:00+00:00",
        "objects": [],
        "bundle": {"name": "tiny", "version": "1.0.0", "digest": "ab" * 32, "device": "cpu", "provider": "CPU"},
        "images": [{**GROUP, "instances": [image("1.1")]}],
        "damaged": [],
        "facts": [dict(FACT)],
        "facts_left_out": [{"name": "node_biopsy", "reason": "too late"}],
        "findings": "f0" * 32,
        "patient": "d0" * 16,
        "supersedes": None,
        "site": {"prevalence": None, "time_zone": "UTC", "operating_points": {"low": 0.2}},
        "ehr_query": "e0" * 32,
        "configuration": {"digest": "c0" * 32, "keys": {"site.prevalence": "01", "cases.quiet_s": "02"}},
        "code": {"version": "1.0", "digest": "d1" * 32, "python": "3.11.2", "libraries": {"numpy": "2.0"}},
    }
