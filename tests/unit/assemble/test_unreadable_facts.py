"""What speaks against an estimate, and cannot be read or was said before: the case is answered without a number."""

import pytest

from agent.core.case import CaseState
from agent.core.evidence import Patience
from tests.ward import ALICE, CANCER, QUIET, REFRESH, Ward

PROVEN = "A node biopsy has already proven metastasis."


@pytest.fixture
def ward() -> Ward:
    """Give a ward that waits for nothing but quiet, nor for the clinical database."""
    return Ward(Patience(QUIET, wait_for_facts=False))


def _know(ward: Ward, *said: dict[str, object]) -> None:
    """Let the clinical database hold several rows, one a day from 1 November."""
    identity = {"patient_id": ALICE.patient_id, "issuer_of_patient_id": ALICE.issuer}
    ward.clinical.rows = [
        {**identity, **CANCER, "recorded_date": f"2026-11-{day:02}", **row} for day, row in enumerate(said, 1)
    ]


def _reason(ward: Ward) -> str:
    """Let an image come, and say why there is no estimate."""
    ward.image()
    ward.pass_time()
    assert ward.case().state is CaseState.READY
    (axilla,) = ward.findings()["eligibility"]["axillae"]
    return str(axilla["reason"])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"node_biopsy": "positiv"}, "Whether a node biopsy was positive could not be read."),
        ({"clinical_n": "pN1"}, "The clinical stage of the nodes (cN) could not be read."),
        ({"clinical_m": "1"}, "Whether there is distant metastasis (cM) could not be read."),
        ({"previous_axillary_surgery_side": "left"}, "The side of earlier axillary surgery could not be read."),
        ({"grade": "G2"}, ""),
    ],
)
def test_a_value_that_cannot_be_read_gives_no_estimate(ward: Ward, said: dict[str, object], reason: str) -> None:
    """It might say what rules one out; a fact that rules nothing out does not matter."""
    _know(ward, said)
    assert _reason(ward) == reason
    assert [one["name"] for one in ward.findings()["refused"]] == list(said)


def test_two_values_of_one_day_give_no_estimate(ward: Ward) -> None:
    """Nobody knows which is right."""
    _know(ward, {"clinical_n": "cN0"}, {"clinical_n": "cN1", "recorded_date": "2026-11-01"})
    assert _reason(ward) == "The clinical stage of the nodes (cN) could not be read."


@pytest.mark.parametrize(
    "then",
    [
        [{"node_biopsy": "negative"}],
        [{"node_biopsy": "POS (see report)"}],
        [{"node_biopsy": "POS (see report)"}, {"node_biopsy": "negative"}],
        [{"node_biopsy": "negative", "node_biopsy_date": "2026-11-05", "surgery_date": "2026-11-03"}],
    ],
)
def test_a_proven_metastasis_stays_proven(ward: Ward, then: list[dict[str, object]]) -> None:
    """Whatever is written after it, readable or not; and during an outage, too."""
    _know(ward, {"node_biopsy": "positive"}, *then)
    assert _reason(ward) == PROVEN
    ward.clinical.away = True
    assert _reason(ward) == PROVEN


def test_what_is_known_only_after_surgery_is_not_lost_in_an_outage(ward: Ward) -> None:
    """It is kept beside what the model may use."""
    late = {"node_biopsy": "positive", "node_biopsy_date": "2026-11-10"}
    _know(ward, {"surgery_date": "2026-11-09", **late})
    assert _reason(ward) == PROVEN
    found = ward.findings()
    assert "node_biopsy" not in found["facts"]
    assert [one["value"] for one in found["earlier"]["node_biopsy"]] == ["positive"]
    ward.clinical.away = True
    assert _reason(ward) == PROVEN


def test_a_row_that_was_a_mistake_is_deleted(ward: Ward) -> None:
    """Then nothing speaks against an estimate any more."""
    _know(ward, {"node_biopsy": "positive"}, {"node_biopsy": "negative"})
    assert _reason(ward) == PROVEN
    ward.clinical.rows = ward.clinical.rows[1:]
    ward.pass_time(REFRESH)
    assert _reason(ward) == ""
