"""What a case lacks is looked for in the PACS and fetched, on a virtual clock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.assemble.inquire import Asking
from agent.core.case import CaseState
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.evidence import Patience
from agent.core.pacs import AGAIN, RetrievalStatus, Wanted
from tests.pacs_ward import ALICE, BERTA, HOUR, QUIET, SR, TOMO, PacsWard

FETCHING = Asking(missing_modalities=True)
PATIENCE = Patience(QUIET, ("MG", "MR"), {"MR": 4 * HOUR}, counts_wait=HOUR, poll=QUIET)
NOT_ASKED = "The PACS could not be asked for other studies of this patient."


@pytest.fixture
def ward() -> PacsWard:
    """Give a ward that fetches, counts nothing, and expects mammograms and MR."""
    return PacsWard(PATIENCE, FETCHING)


def series(ward: PacsWard) -> list[tuple[str, str, RetrievalStatus]]:
    """What was requested, why, and how it stands."""
    return [(one.wanted.series_instance_uid, one.why, one.status) for one in ward.retrievals()]


def test_a_missing_modality_is_fetched(ward: PacsWard) -> None:
    """It arrives like everything else, and one version is answered with it."""
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.hold("1.6", "MR")
    ward.pass_time(5 * QUIET)
    assert series(ward) == [("1.6.MR", "MR is missing", RetrievalStatus.DONE)]
    assert (ward.case().version, ward.case().state) == (1, CaseState.RUNNING)
    assert "Expected and present: MG, MR." in ward.evidence()


def test_a_missing_series_of_a_study_that_is_here_is_fetched(ward: PacsWard) -> None:
    """MR of the same study; more mammograms of it are only counted, the sender may still be at it."""
    ward.send(ward.hold())
    ward.hold("1.5", "MR")
    ward.hold("1.5", "MG", series="1.5.late")
    ward.pass_time(3 * QUIET)
    assert series(ward) == [("1.5.MR", "MR is missing", RetrievalStatus.DONE)]


def test_other_studies_of_the_patient_are_fetched_once(ward: PacsWard) -> None:
    """What is missing first, then the newest; only what the question reads, of which nothing came."""
    ward.send(ward.hold(), ward.hold(modality="MR"))
    ward.hold("1.7", "US", days_ago=90)
    ward.hold("1.8", "MG", days_ago=30)
    ward.hold("1.8", "SR", sop_class=SR, days_ago=30)
    ward.hold("1.9", "MG", sop_class=TOMO)
    seen = ward.hold("1.10", "MG", sop_class=TOMO)
    ward.send(seen)
    ward.hold("1.11", "MG", days_ago=150)
    ward.pass_time(5 * QUIET)
    why = "another study of this patient"
    assert series(ward) == [("1.8.MG", why, RetrievalStatus.DONE), ("1.7.US", why, RetrievalStatus.DONE)]
    assert (ward.case().version, ward.case().state) == (1, CaseState.RUNNING)


def test_nobody_else_is_fetched(ward: PacsWard) -> None:
    """The PACS is asked for this patient alone."""
    ward.send(ward.hold())
    ward.hold("1.6", "MR", patient=BERTA)
    ward.pass_time(HOUR)
    assert ward.retrievals() == []
    assert {what for what in ward.pacs.asked if what.startswith("studies")} == {f"studies {ALICE.patient_id}"}


def test_a_missing_modality_is_looked_for_again_at_a_quarter_of_its_wait(ward: PacsWard) -> None:
    """It may be made later: four hours of waiting are four looks, and one version."""
    ward.send(ward.hold())
    ward.pass_time(2 * HOUR + HOUR / 2)
    looks = [what for what in ward.pacs.asked if what.startswith("studies")]
    assert len(looks) == 3 and ward.case().state is CaseState.COLLECTING
    ward.hold("1.6", "MR")
    ward.pass_time(HOUR)
    assert (ward.case().version, ward.case().state) == (1, CaseState.RUNNING)
    assert "Expected and present: MG, MR." in ward.evidence()


def test_what_is_there_is_not_looked_for_again() -> None:
    """Nothing is missing: one look."""
    ward = PacsWard(Patience(QUIET, ("MG",), {"MG": HOUR}, counts_wait=HOUR, poll=QUIET), FETCHING)
    ward.pacs.retrieve_error = Transient("slow")
    ward.send(ward.hold())
    ward.hold("1.6", "US")
    ward.pass_time(HOUR - QUIET)
    assert [what for what in ward.pacs.asked if what.startswith("studies")] == ["studies P-1"]


@pytest.mark.parametrize("how", ["down", "refuses"])
def test_a_pacs_that_cannot_be_asked_is_tried_a_few_times(how: str) -> None:
    """Then the case goes on, and the evidence says so."""
    ward = PacsWard(Patience(QUIET, ("MG",), {}, counts_wait=HOUR, poll=QUIET), FETCHING)
    ward.pacs.down = how == "down"
    ward.pacs.refuses = "no C-FIND" if how == "refuses" else ""
    ward.send(ward.hold())
    ward.pass_time(2 * HOUR)
    assert ward.case().state is CaseState.RUNNING and NOT_ASKED in ward.evidence()
    assert ward.pacs.asked == ["studies P-1"] * 5


@pytest.mark.parametrize(("error", "tries"), [(Transient("not all was sent"), 5), (Permanent("no C-MOVE"), 1)])
def test_what_cannot_be_fetched_is_given_up_with_its_reason(ward: PacsWard, error: Exception, tries: int) -> None:
    """With growing delays; the case goes on without, and says so."""
    ward.pacs.retrieve_error = error  # type: ignore[assignment]
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.pass_time(5 * HOUR)
    (one,) = ward.retrievals()
    assert (one.status, one.attempts, one.error) == (RetrievalStatus.GIVEN_UP, tries, str(error))
    assert sum(what.startswith("retrieve") for what in ward.pacs.asked) == tries
    assert ward.case().state is CaseState.RUNNING
    assert "1 series that the PACS lists could not be fetched." in ward.evidence()


def test_a_pacs_that_is_away_uses_up_no_try(ward: PacsWard) -> None:
    """It is called the seldomer the longer it is away, and asked once it is back, as long as the case waits."""
    ward.pacs.retrieve_error = Unreachable("away")
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.hold("1.7", "US")
    ward.pass_time(2 * HOUR)
    calls = sum(what.startswith("retrieve") for what in ward.pacs.asked)
    assert 8 < calls < 40
    assert {(one.status, one.attempts) for one in ward.retrievals()} == {(RetrievalStatus.WAITING, 0)}
    assert "away" in {one.error for one in ward.retrievals()} and ward.case().state is CaseState.COLLECTING
    ward.pacs.retrieve_error = None
    ward.pass_time(HOUR)
    assert {one.status for one in ward.retrievals()} == {RetrievalStatus.DONE}
    assert (ward.case().version, ward.case().state) == (1, CaseState.RUNNING)


def test_nobody_calls_a_pacs_that_is_away_for_a_case_that_went_on(ward: PacsWard) -> None:
    """The case says what could not be fetched, and nothing more is asked for it."""
    ward.pacs.retrieve_error = Unreachable("away")
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.pass_time(5 * HOUR)
    assert ward.case().state is CaseState.RUNNING
    assert "1 series that the PACS lists could not be fetched." in ward.evidence()
    before = list(ward.pacs.asked)
    ward.pass_time(HOUR)
    assert ward.pacs.asked == before


def test_all_of_the_episode_is_looked_at() -> None:
    """A study of its first days is found, however few days back the site looks."""
    ward = PacsWard(PATIENCE, FETCHING)
    ward.searcher._look_for = replace(ward.searcher._look_for, days_back=timedelta(days=10))
    ward.send(ward.hold())
    ward.hold("1.6", "MR", days_ago=130)
    ward.hold("1.7", "MR", days_ago=150)
    ward.pass_time(5 * QUIET)
    assert series(ward) == [("1.6.MR", "MR is missing", RetrievalStatus.DONE)]


def test_a_retrieval_that_brings_nothing_is_no_success(ward: PacsWard) -> None:
    """A PACS that says success and sends nothing is asked again, then given up."""
    ward.send(ward.hold())
    gone = ward.hold("1.6", "MR")
    ward.pacs.retrieve = lambda wanted: 0  # type: ignore[method-assign]
    ward.pass_time(5 * HOUR)
    (one,) = ward.retrievals()
    assert one.status is RetrievalStatus.GIVEN_UP and one.error == "the peer sent nothing"
    assert one.wanted == Wanted("1.6", gone.listed.series_instance_uid)


def test_inputs_that_were_dropped_come_again(ward: PacsWard) -> None:
    """At IMAGE level, while the case is being answered, and without holding anything."""
    first, second = ward.hold(), ward.hold()
    ward.send(first, second)
    ward.hold("1.6", "MR")
    ward.pass_time(5 * QUIET)
    case = ward.case()
    assert case.state is CaseState.RUNNING
    arrived = ward.sent
    with ward.store.unit() as unit:
        series_uid = first.listed.series_instance_uid
        unit.want_again(case.id, "1.5", series_uid, [second.listed.sop_instance_uid], ward.clock())
    assert ward.retriever.tick() == 1
    assert ward.sent == arrived + 1
    one = ward.retrievals()[-1]
    assert (one.why, one.status) == (AGAIN, RetrievalStatus.DONE)


def test_only_so_many_are_fetched_at_a_time(ward: PacsWard) -> None:
    """One after the other, ten a tick."""
    ward.send(ward.hold(), ward.hold(modality="MR"))
    for n in range(12):
        ward.hold(f"1.7.{n}", "US")
    ward.pass_time(QUIET)
    ward.searcher.tick()
    done = [one for one in ward.retrievals() if one.status is RetrievalStatus.DONE]
    assert (len(done), len(ward.retrievals())) == (10, 12)
    assert ward.retriever.tick() == 2 and ward.retriever.tick() == 0


def test_a_case_that_falls_asleep_causes_nothing_more(ward: PacsWard) -> None:
    """The diagnosis is withdrawn while its studies are being fetched."""
    ward.pacs.retrieve_error = Transient("slow")
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.pass_time(2 * QUIET)
    ward.clinical.know(ALICE, "2026-11-20", diagnosis="benign")
    ward.pass_time(timedelta(minutes=20))
    assert ward.case().state is CaseState.DORMANT
    before = list(ward.pacs.asked)
    ward.pass_time(6 * HOUR)
    assert ward.pacs.asked == before


def test_both_together_answer_once_with_everything() -> None:
    """Counts of what was fetched are waited for as well."""
    ward = PacsWard(PATIENCE)
    ward.send(ward.hold())
    ward.hold("1.6", "MR")
    ward.hold("1.6", "MR")
    ward.pass_time(10 * QUIET)
    assert (ward.case().version, ward.case().state) == (1, CaseState.RUNNING)
    said = [sentence.partition(", by")[0] for sentence in ward.evidence()]
    assert "1 of 1 instances of the MG study are here" in said
    assert "2 of 2 instances of the MR study are here" in said


def test_what_is_no_longer_kept_comes_again_before_the_case_is_answered(ward: PacsWard) -> None:
    """Asked for once, series by series; the answer waits for it."""
    first = ward.hold()
    ward.send(first, ward.hold())
    ward.hold("1.6", "MR")
    ward.clock.advance(QUIET / 2)
    case = ward.case()
    with ward.store.unit() as unit:
        unit.forget_bytes([unit.instances(case.id)[0].ref])
    ward.pass_time(5 * QUIET)
    again = [one for one in ward.retrievals() if one.why == AGAIN]
    assert [(one.status, one.wanted.sop_instance_uids) for one in again] == [
        (RetrievalStatus.DONE, (first.listed.sop_instance_uid,))
    ]
    with ward.store.unit() as unit:
        assert not any(one.is_gone for one in unit.instances(case.id))
    assert ward.case().state is CaseState.RUNNING


def test_what_the_pacs_does_not_send_again_holds_the_answer_for_a_while_only(ward: PacsWard) -> None:
    """Then it is answered without; the images are left out there."""
    ward.pacs.retrieve_error = Transient("not all was sent")
    ward.send(ward.hold(), ward.hold(modality="MR"))
    ward.clock.advance(QUIET / 2)
    case = ward.case()
    with ward.store.unit() as unit:
        unit.forget_bytes([one.ref for one in unit.instances(case.id)])
    ward.pass_time(5 * QUIET)
    assert ward.case().state is CaseState.COLLECTING
    assert "being fetched again from the PACS" in ward.case().reason
    ward.pass_time(2 * HOUR)
    assert ward.case().state is CaseState.RUNNING
    with ward.store.unit() as unit:
        assert all(one.is_gone for one in unit.instances(case.id))
    assert len([one for one in ward.retrievals() if one.why == AGAIN]) == 2
