"""Counts by the PACS as evidence, on a virtual clock."""

from datetime import timedelta

import pytest

from agent.assemble.inquire import Asking, routed
from agent.assemble.judging import QuestionScope
from agent.core.case import CaseState
from agent.core.errors import Transient
from agent.core.evidence import Patience
from tests.pacs_ward import ALICE, BERTA, HOUR, MG, MR, QUIET, RAW, SR, TOMO, PacsWard

COUNTS = Asking(counts=True)
AWAY = "The PACS could not be asked for its counts."


@pytest.fixture
def ward() -> PacsWard:
    """Give a ward that asks for counts alone."""
    return PacsWard(asking=COUNTS)


def test_complete_once_two_counts_agree(ward: PacsWard) -> None:
    """Both after the quiet period; the evidence says whose count it was."""
    ward.send(ward.hold(), ward.hold())
    ward.pass_time(QUIET)
    assert ward.case().state is CaseState.COLLECTING and ward.pacs.asked == ["instances 1.5"]
    ward.pass_time(3 * QUIET)
    assert ward.case().state is CaseState.RUNNING
    assert ward.pacs.asked == ["instances 1.5"] * 2
    assert "2 of 2 instances of the MG study are here, by the PACS's count at 2026-11-20 09:02 UTC." in ward.evidence()


def test_two_studies_of_a_modality_are_told_apart_by_their_day(ward: PacsWard) -> None:
    """A screening and its recall: the evidence says which of them it counted."""
    ward.send(ward.hold(days_ago=3), ward.hold(study="1.6"))
    ward.pass_time(4 * QUIET)
    counted = [sentence for sentence in ward.evidence() if "instances of" in sentence]
    assert [sentence.split(" are here")[0] for sentence in counted] == [
        "1 of 1 instances of the MG study of 2026-11-17",
        "1 of 1 instances of the MG study of 2026-11-19",
    ]


@pytest.mark.parametrize(
    ("gap", "versions"), [(timedelta(seconds=6), 1), (timedelta(minutes=10), 1), (timedelta(hours=6), 1)]
)
def test_series_far_apart_make_one_version(gap: timedelta, versions: int) -> None:
    """As long as the PACS lists what has not come, nothing is answered: seconds, minutes or hours apart."""
    patience = Patience(QUIET, wait_for={"MG": 8 * HOUR}, counts_wait=HOUR, poll=QUIET)
    ward = PacsWard(patience, COUNTS)
    first, second = [ward.hold(series="1.5.1"), ward.hold(series="1.5.1")], [ward.hold(series="1.5.2")]
    ward.send(*first)
    ward.pass_time(gap)
    assert ward.case().version == 1 and ward.case().state is CaseState.COLLECTING
    ward.send(*second)
    ward.pass_time(HOUR)
    assert (ward.case().version, ward.case().state) == (versions, CaseState.RUNNING)
    assert any(sentence.startswith("3 of 3 instances of the MG study are here") for sentence in ward.evidence())


def test_what_never_comes_is_said(ward: PacsWard) -> None:
    """After its wait the case goes on as partial."""
    ward.send(ward.hold())
    ward.hold()
    ward.pass_time(HOUR - QUIET)
    assert ward.case().state is CaseState.COLLECTING
    assert ward.case().reason.startswith("1 of 2 instances of the MG study are here, by the PACS's count at ")
    ward.pass_time(2 * QUIET)
    assert ward.case().state is CaseState.RUNNING
    assert any(sentence.startswith("1 of 2 instances of the MG study are here") for sentence in ward.evidence())
    assert ward.findings()["missing"] == ["1 of 2 instances of MG"]


def test_a_count_that_grows_is_waited_for(ward: PacsWard) -> None:
    """The PACS itself is still receiving: two answers must agree."""
    ward.send(ward.hold())
    for _ in range(5):
        ward.pass_time(QUIET)
        ward.send(ward.hold())
    assert ward.case().state is CaseState.COLLECTING and ward.case().version == 1
    ward.pass_time(5 * QUIET)
    assert ward.case().state is CaseState.RUNNING and ward.case().version == 1
    assert any(sentence.startswith("6 of 6") for sentence in ward.evidence())


@pytest.mark.parametrize("how", ["down", "refuses", "flaky"])
def test_a_pacs_that_cannot_be_asked_holds_a_case_for_its_wait(how: str, ward: PacsWard) -> None:
    """Away, refusing for good, or failing: then the case goes on and says so."""
    ward.send(ward.hold())
    ward.pacs.down = how == "down"
    ward.pacs.refuses = "no C-FIND" if how == "refuses" else ""
    if how == "flaky":
        ward.pacs.instances = _fail  # type: ignore[method-assign]
    ward.pass_time(HOUR - QUIET)
    assert ward.case().state is CaseState.COLLECTING
    ward.pass_time(2 * QUIET)
    assert ward.case().state is CaseState.RUNNING and AWAY in ward.evidence()
    case = ward.case()
    with ward.store.unit() as unit:
        (count,) = unit.counts(case.id)
    assert count.error and count.counted_at is None


def _fail(*_: object) -> list[object]:
    raise Transient("C-FIND ended with status 0xA700")


def test_an_outage_costs_one_question_a_tick(ward: PacsWard) -> None:
    """Whoever else is due waits without being asked for."""
    ward.clinical.know(BERTA, "2026-11-01", diagnosis="invasive", side="L", sex="F", birth_date="1970-01-01")
    ward.pacs.down = True
    ward.send(ward.hold("1.5"), ward.hold("1.6"), ward.hold("1.7", patient=BERTA))
    ward.pass_time(QUIET)
    assert len(ward.pacs.asked) == 1


def test_a_pacs_that_is_back_is_believed(ward: PacsWard) -> None:
    """An outage within the wait leaves no trace in the evidence."""
    ward.send(ward.hold())
    ward.pacs.down = True
    ward.pass_time(HOUR / 2)
    ward.pacs.down = False
    ward.pass_time(5 * QUIET)
    assert ward.case().state is CaseState.RUNNING and AWAY not in ward.evidence()


def test_a_study_that_the_pacs_does_not_have_is_said(ward: PacsWard) -> None:
    """An empty answer proves nothing."""
    ward.send(ward.hold())
    ward.pacs.held.clear()
    ward.pass_time(HOUR - QUIET)
    assert ward.case().state is CaseState.COLLECTING
    ward.pass_time(2 * QUIET)
    assert "The PACS lists no instance of the MG study." in ward.evidence()


def test_only_what_the_question_reads_counts(ward: PacsWard) -> None:
    """Results of our own, raw mammograms and tomosynthesis are not waited for; what came and was not used was here."""
    ward.send(ward.hold(), ward.hold())
    for modality, sop_class in (("SR", SR), ("MG", RAW), ("MG", TOMO), ("MG", "1.2.840.10008.5.1.4.1.1.7")):
        ward.hold(modality=modality, sop_class=sop_class)
    ward.pass_time(4 * QUIET)
    assert any(sentence.startswith("2 of 2") for sentence in ward.evidence())


def test_another_modality_of_the_study_counts(ward: PacsWard) -> None:
    """MR that the PACS lists in the same study is waited for."""
    ward.send(ward.hold())
    late = ward.hold(modality="MR")
    ward.pass_time(5 * QUIET)
    assert ward.case().reason.startswith("0 of 1 instances of the MR study are here")
    ward.send(late)
    ward.pass_time(5 * QUIET)
    assert ward.case().state is CaseState.RUNNING and ward.case().version == 1


@pytest.mark.parametrize("diagnosis", ["benign", "dcis", None])
def test_without_confirmed_cancer_nothing_is_asked(diagnosis: str | None) -> None:
    """Nor of a dormant case, however long it sleeps."""
    ward = PacsWard()
    ward.clinical.rows.clear()
    if diagnosis:
        ward.clinical.know(ALICE, "2026-11-01", diagnosis=diagnosis, side="L")
    ward.send(ward.hold())
    ward.pass_time(HOUR)
    assert ward.case().state is CaseState.DORMANT and ward.pacs.asked == []


def test_a_case_that_wakes_waits_for_the_pacs_anew() -> None:
    """The diagnosis comes days after the images: the PACS still gets its time."""
    ward = PacsWard(asking=COUNTS)
    ward.clinical.rows.clear()
    ward.send(ward.hold())
    ward.hold()
    ward.pass_time(5 * HOUR)
    ward.clinical.know(ALICE, "2026-11-20", diagnosis="invasive", side="L", sex="F", birth_date="1970-01-01")
    ward.pass_time(HOUR / 2)
    assert ward.case().state is CaseState.COLLECTING
    assert ward.case().reason.startswith("1 of 2 instances")
    ward.pass_time(HOUR)
    assert ward.case().state is CaseState.RUNNING


def test_a_count_that_does_not_change_is_asked_for_less_often() -> None:
    """While something else holds the case, a stable study is asked about ever more rarely, and at once after news."""
    ward = PacsWard(Patience(QUIET, ("US",), {"US": 4 * HOUR}, counts_wait=HOUR, poll=QUIET), COUNTS)
    ward.send(ward.hold())
    ward.pass_time(3 * HOUR)
    asked = len(ward.pacs.asked)
    assert 10 < asked < 20
    ward.send(ward.hold())
    ward.pass_time(4 * QUIET)
    assert len(ward.pacs.asked) > asked


def test_no_estimate_needs_no_count() -> None:
    """Where no axilla can get a number, nothing is asked and nothing waited for."""
    ward = PacsWard()
    ward.clinical.know(ALICE, "2026-11-01", diagnosis="invasive", sex="F", birth_date="1970-01-01")
    ward.send(ward.hold())
    ward.pass_time(2 * QUIET)
    assert ward.case().state is CaseState.RUNNING and ward.pacs.asked == []


def test_what_is_routed_follows_the_questions() -> None:
    """Of the modalities that an active bundle reads, the classes that are read, raw mammograms apart."""
    assert routed([QuestionScope("aln", frozenset({"clinical", "MG", "MR"}))]) == {
        "aln": {"MG": frozenset({MG}), "MR": frozenset({MR, f"{MR}.1", f"{MR}.4"})}
    }
    assert routed([]) == {}
