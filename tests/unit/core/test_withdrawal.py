"""Findings of a version that only rejects."""

from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_from_json
from agent.core.withdrawal import REASON, is_withdrawal, withdrawal
from tests.state_stores import T0


def test_a_withdrawal_is_known_by_its_findings_and_no_other_version_is() -> None:
    """It asks nothing, knows nothing, and says why."""
    found = withdrawal(T0)
    assert is_withdrawal(found)
    assert not is_withdrawal({})
    assert not is_withdrawal({name: value for name, value in found.items() if name != "withdrawn"})
    assert facts_from_json(found) == ClinicalFacts()
    assert found["eligibility"] == {"asked": True, "reason": REASON, "cutoff": None, "axillae": []}
