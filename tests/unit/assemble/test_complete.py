import re
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydicom.uid import EnhancedMRImageStorage

from agent.assemble.complete import Assembler
from agent.assemble.settings import AssembleSettings
from agent.core.case import CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.clinical_json import facts_from_json
from agent.core.errors import Transient
from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from tests.fakes.clinical import FakeClinical
from tests.ward import ALICE, BERTA, CANCER, EPISODE, HOUR, QUIET, REFRESH, Ward


@pytest.fixture
def ward() -> Ward:
    """Give a ward that expects a mammogram."""
    return Ward()


def test_complete_after_the_quiet_period(ward: Ward) -> None:
    """A confirmed cancer with its images is ready once all is quiet, not a moment before."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    ward.pass_time(QUIET - timedelta(seconds=1))
    assert ward.case().state is CaseState.COLLECTING and ward.clinical.asked == []
    ward.pass_time(timedelta(seconds=1))
    case = ward.case()
    assert (case.state, case.reason, case.ready_at) == (CaseState.READY, "complete", ward.clock())


def test_findings_say_what_the_decision_rested_on(ward: Ward) -> None:
    """Eligibility, facts, evidence and what is missing stand with the version, as the worker reads them."""
    more = {"surgery_date": "2026-12-01", "size_mri_mm": 900, "grade": 2, "node_biopsy": "pending"}
    ward.clinical.know(ALICE, "2026-11-01", **CANCER, **more)
    ward.image()
    ward.pass_time()
    found = ward.findings()
    assert found["eligibility"] == {
        "asked": True,
        "after_surgery": False,
        "reason": "",
        "cutoff": "2026-12-01",
        "facts_cutoff": "2026-12-01",
        "earliest": "2026-07-04",
        "latest": "2027-03-01",
        "diagnosed_on": "2026-11-01",
        "axillae": [{"side": "L", "reason": ""}],
        "flags": ["A node biopsy is pending."],
    }
    assert found["refused"] == [{"name": "size_mri_mm", "reason": "outside 1 to 200"}]
    assert found["evidence"] == [
        "No image arrived during the quiet period of 1 min.",
        "No association that carries this patient is open.",
        "Expected and present: MG.",
        "A node biopsy is pending.",
    ]
    assert found["missing"] == [] and datetime.fromisoformat(found["asked_at"]) == ward.clock()
    facts: ClinicalFacts = facts_from_json(found)
    assert facts.value("grade") == 2 and facts.day("surgery_date") == date(2026, 12, 1)


@pytest.mark.parametrize("columns", [None, {}, {"diagnosis": "benign"}, {"diagnosis": "dcis", "side": "L"}])
def test_without_confirmed_cancer_a_case_goes_dormant(ward: Ward, columns: dict[str, object] | None) -> None:
    """Most women imaged have no cancer: nothing is asked, nothing is sent, the database is asked again."""
    if columns is not None:
        ward.clinical.know(ALICE, "2026-11-01", **columns)
    ward.image()
    ward.pass_time()
    case = ward.case()
    assert case.state is CaseState.DORMANT and case.reason
    assert case.due_at == ward.clock() + REFRESH
    assert ward.findings()["eligibility"]["asked"] is False
    ward.pass_time(REFRESH)
    assert ward.case().state is CaseState.DORMANT and len(ward.clinical.asked) == 2
    assert ward.events() == [CaseEvent.INSTANCE_STORED, CaseEvent.NOT_ASKED]


def test_a_diagnosis_that_arrives_later_wakes_the_case(ward: Ward) -> None:
    """The biopsy comes back: the dormant case is judged again at its next turn, and is ready."""
    ward.image()
    ward.pass_time()
    ward.clinical.know(ALICE, "2026-11-20", **CANCER)
    ward.pass_time(REFRESH)
    assert ward.case().state is CaseState.READY
    assert ward.events()[-2:] == [CaseEvent.FACTS_CHANGED, CaseEvent.COMPLETE]


def test_a_dormant_case_wakes_and_still_waits_for_what_is_missing() -> None:
    """A confirmed diagnosis alone does not complete a case whose modality is expected."""
    ward = Ward(Patience(QUIET, ("MG", "US"), {"US": 4 * HOUR}))
    ward.image()
    ward.pass_time()
    ward.clinical.know(ALICE, "2026-11-20", **CANCER)
    ward.pass_time(REFRESH)
    case = ward.case()
    assert case.state is CaseState.COLLECTING
    assert case.reason == "US is expected until 2026-11-20 13:00 UTC."


def test_refreshes_are_spread(ward: Ward) -> None:
    """Dormant cases do not all ask at the same moment."""
    due = []
    for chance in (0.0, 0.999):
        other = Ward(chance=chance)
        other.image()
        other.pass_time()
        due.append(other.case().due_at)
    assert due[0] == ward.clock() + QUIET + REFRESH * 0.9
    assert due[1] is not None and due[1] > ward.clock() + QUIET + REFRESH * 1.09


def test_an_episode_without_cancer_ends(ward: Ward) -> None:
    """A dormant case is closed when its episode is over, without asking once more."""
    ward.image()
    ward.pass_time()
    ward.pass_time(EPISODE)
    case = ward.case()
    assert (case.state, case.due_at) == (CaseState.CLOSED, None)
    assert len(ward.clinical.asked) == 1


def test_an_expected_modality_is_waited_for_then_missing() -> None:
    """The case waits for what the site expects, asking on; when the wait is over it is answered in part."""
    ward = Ward(Patience(QUIET, ("MG", "US"), {"MG": 4 * HOUR, "US": 2 * HOUR}))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    ward.pass_time()
    assert ward.case().state is CaseState.COLLECTING
    assert ward.case().due_at == ward.clock() + REFRESH  # the facts may change meanwhile
    ward.pass_time(2 * HOUR - QUIET)
    case = ward.case()
    assert (case.state, case.reason) == (CaseState.READY, "complete without US")
    assert ward.findings()["missing"] == ["US"]
    assert "No usable US arrived within 2 h." in ward.findings()["evidence"]


@pytest.mark.parametrize(
    "useless",
    [{"laterality": "R"}, {"laterality": ""}, {"intent": "FOR PROCESSING"}, {"acquired_on": date(2024, 1, 1)}],
)
def test_an_image_that_cannot_be_used_does_not_end_the_wait(ward: Ward, useless: dict[str, Any]) -> None:
    """The other breast, raw data or a prior alone is not the mammogram that is expected."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image(**useless)
    ward.pass_time()
    assert (ward.case().state, ward.findings()["missing"]) == (CaseState.COLLECTING, ["MG"])
    ward.image()
    ward.pass_time()
    assert (ward.case().state, ward.findings()["missing"]) == (CaseState.READY, [])


def test_when_the_wait_is_over_unusable_images_are_not_called_absent(ward: Ward) -> None:
    """Mammograms did arrive, but only such as are not for presentation."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image(intent="FOR PROCESSING")
    ward.pass_time(EPISODE)
    assert (ward.case().state, ward.findings()["missing"]) == (CaseState.READY, ["MG"])
    assert any(re.fullmatch(r"No usable MG arrived within \d+ h\.", said) for said in ward.findings()["evidence"])


@pytest.mark.parametrize(
    ("modality", "laterality", "ends"),
    [("US", "", False), ("US", "L", True), ("MR", "", True), ("MR", "L", False)],
)
def test_an_ultrasound_of_no_side_does_not_end_the_wait_for_one(modality: str, laterality: str, ends: bool) -> None:
    """An ultrasound image must say of which breast it is; an MR must show both."""
    ward = Ward(Patience(QUIET, (modality,), {modality: 4 * HOUR}))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image(modality=modality, laterality=laterality)
    ward.pass_time()
    assert ward.case().state is (CaseState.READY if ends else CaseState.COLLECTING)


@pytest.mark.parametrize("kind", [{"frames": 90}, {"sop_class_uid": EnhancedMRImageStorage}])
def test_multi_frame_mr_ends_the_wait_for_mr(kind: dict[str, Any]) -> None:
    """It is read as a file a slice is."""
    ward = Ward(Patience(QUIET, ("MR",), {"MR": 4 * HOUR}))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image(modality="MR", laterality="", **kind)
    ward.pass_time()
    assert (ward.case().state, ward.findings()["missing"]) == (CaseState.READY, [])


def test_the_missing_modality_arrives_in_time() -> None:
    """Pieces over hours make one version that holds all of them."""
    ward = Ward(Patience(QUIET, ("MG", "US"), {"US": 4 * HOUR}))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    for _ in range(3):
        ward.pass_time(HOUR)
    ward.image(modality="US")
    assert ward.case().due_at == ward.clock() + QUIET
    ward.pass_time()
    assert ward.case().state is CaseState.READY and ward.findings()["missing"] == []
    case = ward.case()
    with ward.store.unit() as unit:
        assert [s.instance.modality for s in unit.instances(case.id)] == ["MG", "US"]


def test_an_open_association_holds_the_case(ward: Ward) -> None:
    """While a sender that brought images is connected, the case is not complete."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    with ward.store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", ward.clock())
    ward.image()
    ward.pass_time(HOUR)
    assert ward.case().reason == "An association that carries this patient is open."
    with ward.store.unit() as unit:
        unit.association_closed("run/1", ward.clock())
    ward.pass_time()
    assert ward.case().state is CaseState.READY


def test_images_after_surgery_are_answered_without_an_estimate(ward: Ward) -> None:
    """An answer is due, and it says that no image is pre-operative."""
    ward.clinical.know(ALICE, "2026-10-01", **CANCER, surgery_date="2026-11-10")
    ward.image(acquired_on=date(2026, 11, 10))
    ward.pass_time()
    assert ward.case().state is CaseState.READY
    axillae = ward.findings()["eligibility"]["axillae"]
    assert axillae == [{"side": "L", "reason": "All images were taken on or after surgery."}]


def test_facts_known_only_after_surgery_are_left_out(ward: Ward) -> None:
    """What the pathologist found at surgery never reaches a pre-operative answer; the cutoff itself stays known."""
    late = {"surgery_date": "2026-11-15", "surgery_date_date": "2026-11-15", "grade": 3, "grade_date": "2026-11-16"}
    ward.clinical.know(ALICE, "2026-11-01", **CANCER, **late)
    ward.image(acquired_on=date(2026, 11, 2))
    ward.pass_time()
    found = ward.findings()
    assert "grade" not in found["facts"] and "surgery_date" in found["facts"]
    assert found["refused"] == [{"name": "grade", "reason": "became known on or after surgery"}]


def test_an_outage_makes_cases_wait(ward: Ward) -> None:
    """While the clinical database is away nothing is guessed; when it is back the case goes on."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.clinical.away = True
    ward.image()
    for _ in range(60):
        ward.pass_time()
    case = ward.case()
    assert (case.state, case.reason) == (CaseState.COLLECTING, "the clinical database could not be asked")
    assert case.due_at is not None and case.due_at > ward.clock()
    ward.clinical.away = False
    ward.pass_time()
    assert ward.case().state is CaseState.READY


def test_an_outage_leaves_dormant_cases_dormant(ward: Ward) -> None:
    """A dormant case waits a whole refresh."""
    ward.image()
    ward.pass_time()
    ward.clinical.away = True
    ward.pass_time(REFRESH)
    assert (ward.case().state, ward.case().due_at) == (CaseState.DORMANT, ward.clock() + REFRESH)


def test_an_outage_costs_one_question_a_tick(ward: Ward) -> None:
    """With many cases due, a database that is away is asked once, not once a case."""
    ward.clinical.away = True
    for n in range(20):
        ward.image(PatientKey("PHANTOM", f"P-{n}"))
    ward.pass_time()
    assert len(ward.clinical.asked) == 1
    assert all(c.reason == "the clinical database could not be asked" for c in ward.store.tables.cases.values())


def _impatient() -> Ward:
    return Ward(Patience(QUIET, ("MG",), wait_for_facts=False))


def test_going_on_without_the_database_uses_what_it_last_said() -> None:
    """A site may go on during an outage: with the facts of the last answer, and the report says so."""
    ward = _impatient()
    ward.clinical.know(ALICE, "2026-11-01", **CANCER, grade=2)
    ward.image()
    ward.pass_time()
    asked_at = ward.findings()["asked_at"]
    ward.clinical.away = True
    ward.image()
    ward.pass_time()
    assert ward.case().state is CaseState.READY
    found = ward.findings()
    assert found["evidence"][-1] == "The clinical database could not be asked."
    assert facts_from_json(found).value("grade") == 2
    assert asked_at < found["asked_at"]


def test_going_on_without_any_facts_asks_nothing() -> None:
    """Without a confirmed cancer an outage sends nothing: the case is dormant and is asked about again."""
    ward = _impatient()
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.clinical.away = True
    ward.image()
    ward.pass_time()
    case = ward.case()
    assert case.state is CaseState.DORMANT
    assert case.reason == "no invasive cancer is known, and the clinical database could not be asked"
    ward.clinical.away = False
    ward.pass_time(REFRESH)
    assert ward.case().state is CaseState.READY


def test_a_wrong_query_puts_the_case_off(ward: Ward) -> None:
    """What only a person can mend is said on the case, which waits; other cases go on."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.clinical.wrong = True
    ward.image()
    ward.pass_time()
    case = ward.case()
    assert case.state is CaseState.COLLECTING and case.due_at == ward.clock() + REFRESH
    assert case.reason == "clinical_facts.sql: the clinical database refuses the query"
    ward.clinical.wrong = False
    ward.pass_time(REFRESH)
    assert ward.case().state is CaseState.READY


def test_a_lost_lease_is_given_back(ward: Ward) -> None:
    """A worker that died or hangs loses its case to the next one."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    ward.pass_time()
    with ward.store.unit() as unit:
        unit.claim(ward.clock(), ward.clock() + QUIET, "worker")
    ward.pass_time(QUIET / 2)
    assert ward.case().state is CaseState.RUNNING
    ward.pass_time(QUIET / 2)
    assert ward.case().state is CaseState.READY
    with ward.store.unit() as unit:
        again = unit.claim(ward.clock(), ward.clock() + QUIET, "other")
    assert again is not None and again.attempt == 2


class _ChangingClinical(FakeClinical):
    """While it is asked, something else happens."""

    def __init__(self, ward: Ward) -> None:
        super().__init__()
        self._ward = ward

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Answer, after another image has come in."""
        self._ward.clock.advance(seconds=1)
        self._ward.image()
        return super().facts(patient, as_of)


@pytest.mark.parametrize("wrong", [False, True])
def test_an_image_that_comes_while_asking_is_waited_for(ward: Ward, wrong: bool) -> None:
    """A case that changed between the look and the decision is left alone, and judged when it is due again."""
    clinical = _ChangingClinical(ward)
    clinical.wrong = wrong
    clinical.know(ALICE, "2026-11-01", **CANCER)
    settings = AssembleSettings(ward.patience, EPISODE, REFRESH)
    ward.image()
    ward.clock.advance(QUIET)
    assert (
        Assembler(ward.store, clinical, settings, now=ward.clock, random=lambda: 0.5, new_case_uuid=uuid4).tick() == 0
    )
    case = ward.case()
    assert case.state is CaseState.COLLECTING and case.due_at == ward.clock() + QUIET
    assert ward.findings() == {}


def test_a_lease_that_ends_meanwhile_is_not_taken_twice(ward: Ward) -> None:
    """A case whose worker finished between the look and the event is left alone."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    ward.pass_time()
    with ward.store.unit() as unit:
        claimed = unit.claim(ward.clock(), ward.clock() + QUIET, "worker")
    assert claimed is not None
    ward.clock.advance(QUIET)
    with ward.store.unit() as unit:
        unit.save_result(claimed, ward.clock(), {}, {})
    assert ward.assembler._apply(claimed, CaseEvent.LEASE_EXPIRED, "") is False
    assert ward.case().state is CaseState.DELIVERING


def test_the_agents_own_database_away_is_said(ward: Ward) -> None:
    """Without its own database the assembler can do nothing, and raises for its runner."""
    ward.store.away = True
    with pytest.raises(Transient):
        ward.assembler.tick()


def test_a_tick_counts_what_it_moved(ward: Ward) -> None:
    """Cases of several patients are looked at in one tick, each with its own facts."""
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.image()
    ward.image(BERTA)
    ward.clock.advance(QUIET)
    assert ward.assembler.tick() == 2
    assert [ward.case(one).state for one in (ALICE, BERTA)] == [CaseState.READY, CaseState.DORMANT]
    assert ward.assembler.tick() == 0
