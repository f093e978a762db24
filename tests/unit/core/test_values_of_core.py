"""Small values that several rooms share, held to what they promise."""

from types import MappingProxyType
from typing import get_type_hints

import pytest

from agent.core import services
from agent.core.archive import StoreOutcome
from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.conflict import Conflict, ConflictKind
from agent.core.eligibility_rules import is_unheard
from agent.core.facts import OUTCOME, in_time
from agent.core.identities import key_digest
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.patient import SPLIT, PatientKey
from agent.core.prediction import OperatingPoint


def test_who_we_are_fits_its_elements() -> None:
    """A UID of ours, and a name of at most 16 characters."""
    assert IMPLEMENTATION_CLASS_UID.startswith("2.25.")
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16
    assert services.STORAGE_COMMITMENT_INSTANCE.startswith(services.STORAGE_COMMITMENT)
    assert get_type_hints(StoreOutcome)["sop_instance_uid"] is str


@pytest.mark.parametrize(("issuer", "expected"), [(SPLIT + "1", True), ("HOSPITAL", False)])
def test_a_patient_who_was_split_off_is_of_ours(issuer: str, expected: bool) -> None:
    """An issuer of a hospital is not."""
    assert PatientKey(issuer, "4711").is_internal is expected


def test_a_key_has_a_digest_of_its_own() -> None:
    """It names nobody, and differs where the issuer does."""
    digests = {key_digest(PatientKey(issuer, "4711")) for issuer in ("A", "B")}
    assert len(digests) == 2
    assert not any("4711" in one for one in digests)


def test_an_operating_point_given_some_inputs() -> None:
    """The same threshold with what it achieves then; unchanged where nobody measured it."""
    point = OperatingPoint("low", 0.2, 0.95, 0.4, {"clinical+MG": (0.9, 0.3)})
    given = point.given(["MG", "clinical"])
    assert (given.sensitivity, given.specificity, given.inputs) == (0.9, 0.3, "clinical+MG")
    assert point.given(["US"]) is point


def test_a_refused_fact_that_might_have_spoken_against_is_unheard() -> None:
    """Of facts that no rule reads, and of those left out for their date, nothing is lost."""
    assert is_unheard(Refusal("sex", "not understood"))
    assert not is_unheard(Refusal("grade", "not understood"))


def test_a_conflict_is_the_same_in_whatever_order_its_subjects_stand() -> None:
    """Of another kind or of others it is another."""
    kind = next(iter(ConflictKind))
    first, again, other = (Conflict(kind, subjects, "said") for subjects in (("a", "b"), ("b", "a"), ("a", "c")))
    assert first.id == again.id != other.id


def test_facts_of_a_question_after_surgery() -> None:
    """What surgery found is used, its own outcome is not; before surgery neither is."""
    known = ClinicalFacts(MappingProxyType({name: Fact(2, "EHR") for name in ("nodes_positive", "sentinel_removed")}))
    after = in_time(known, None, after_surgery=True)
    assert set(after.facts) == {"sentinel_removed"}
    assert after.refused == (Refusal("nodes_positive", OUTCOME),)
    assert in_time(known, None, after_surgery=False).facts == {}
