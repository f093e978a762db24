"""A version that has lost all its images: what was sent before is rejected, and nothing takes its place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_to_json

REASON: Final = (
    "its images are not this patient's any more, or not used: what was sent is rejected, nothing replaces it"
)
_KEY: Final = "withdrawn"


def withdrawal(at: datetime) -> dict[str, Any]:
    """Return the findings of such a version, in the form that every version's have."""
    return {
        _KEY: True,
        "eligibility": {"asked": True, "reason": REASON, "cutoff": None, "axillae": []},
        **facts_to_json(ClinicalFacts()),
        "evidence": [],
        "missing": [],
        "asked_at": at.isoformat(),
    }


def is_withdrawal(findings: Mapping[str, Any]) -> bool:
    """Whether a version of these findings only rejects."""
    return bool(findings.get(_KEY))
