"""On which days what is known counts: the episode, the cutoff of a treatment, and what was known before."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.assessed import DISSECTED, DISSECTION
from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.eligibility import AxillaQuestion, assess, before_outcome, known_until
from agent.core.prediction import Side
from tests.unit.core.eligibility_facts import EPISODE, KNOWN, SENTINEL, TODAY, assessed, clinical, dated, with_earlier

OPERATED, ADJUVANT = date(2026, 11, 12), date(2026, 11, 17)


@pytest.mark.parametrize("values", [{}, {"sentinel_positive": 2}, {"nodes_removed": 2, "sentinel_removed": 2}])
def test_one_or_two_positive_sentinel_nodes_ask_about_the_others(values: dict[str, Value]) -> None:
    """What surgery found asks, however the cancer was confirmed; only images of before are used."""
    found = assessed(clinical(**{**SENTINEL, **values}, known_on=date(2026, 11, 14)), "nsln")
    assert (found.open_sides, found.cutoff, found.facts_cutoff) == ((Side.L,), date(2026, 11, 12), None)


@pytest.mark.parametrize(
    ("values", "cutoff", "words"),
    [
        ({"systemic_therapy_date": ADJUVANT}, ADJUVANT, "the start of systemic therapy"),
        ({"radiotherapy_date": ADJUVANT}, ADJUVANT, "the start of radiotherapy"),
        ({"radiotherapy_date": OPERATED}, None, ""),
        ({"nodes_removed": 14}, KNOWN, DISSECTION),
        ({"nodes_removed": 14, "systemic_therapy_date": ADJUVANT}, KNOWN, DISSECTION),
        ({"nodes_positive": 2}, KNOWN, DISSECTION),
        ({"nodes_removed": 3, "sentinel_removed": 3}, None, ""),
        ({"nodes_positive": 1, "sentinel_removed": 3}, None, ""),
    ],
)
def test_what_surgery_asks_knows_nothing_of_what_came_after(
    values: dict[str, Value], cutoff: date | None, words: str
) -> None:
    """Therapy after the sentinel operation, or more nodes than the sentinel ones, end what may be used."""
    found = assessed(clinical(**{**SENTINEL, **values}), "nsln")
    assert (found.facts_cutoff, found.facts_cutoff_by, found.cutoff) == (cutoff, words, OPERATED)
    assert (found.axillae[0].reason == DISSECTED) == (words == DISSECTION)
    assert before_outcome(found).axillae == (AxillaQuestion(Side.L),)


def test_a_dissection_counts_from_when_it_was_first_known() -> None:
    """A later count of the same nodes moves nothing; one that was no more than the sentinel nodes is none."""
    facts = dated(clinical(**SENTINEL, sentinel_removed=2, nodes_removed=14), nodes_removed=date(2026, 11, 19))
    before = {"nodes_removed": (Fact(12, date(2026, 11, 16)), Fact(2, date(2026, 11, 13)))}
    assert assessed(ClinicalFacts(facts.facts, (), before), "nsln").facts_cutoff == date(2026, 11, 16)


def test_without_an_episode_whatever_was_proven_counts() -> None:
    """Nothing says that it was of another cancer."""
    known = with_earlier(clinical(node_biopsy="negative"), node_biopsy=Fact("positive", date(2016, 1, 1)))
    assert assess("aln", known, TODAY).open_sides == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("surgery_date", "surgery"),
        ("axillary_surgery_date", "axillary surgery"),
        ("systemic_therapy_date", "the start of systemic therapy"),
        ("radiotherapy_date", "the start of radiotherapy"),
    ],
)
def test_cutoff_is_the_earliest_treatment(name: str, words: str) -> None:
    """Whichever treatment came first bounds what is pre-operative, images and facts alike."""
    later = {n: date(2026, 12, 9) for n in ("surgery_date", "radiotherapy_date", "systemic_therapy_date")}
    found = assessed(clinical(**{**later, name: date(2026, 12, 1)}))
    assert (found.cutoff, found.facts_cutoff, found.cutoff_by) == (date(2026, 12, 1), date(2026, 12, 1), words)


@pytest.mark.parametrize(("day", "is_earlier"), [(date(2026, 7, 4), False), (date(2026, 7, 3), True)])
def test_the_treatment_of_an_earlier_cancer_is_no_cutoff(day: date, is_earlier: bool) -> None:
    """It says that the breast was operated on before, not that all images are post-operative."""
    found = assessed(clinical(surgery_date=day))
    assert found.cutoff == (None if is_earlier else day)
    reason = "Earlier breast surgery." if is_earlier else "The cancer was confirmed only when treatment had begun."
    assert found.axillae[0].reason == reason


def test_without_an_episode_every_treatment_is_of_this_cancer() -> None:
    """Then the cancer was confirmed after it: still no estimate."""
    found = assess("aln", clinical(radiotherapy_date=date(2021, 11, 1)), TODAY)
    assert found.open_sides == () and found.cutoff == date(2021, 11, 1)


def test_an_episode_lies_around_the_diagnosis() -> None:
    """Its first and last day are counted from the day on which the cancer was confirmed."""
    found = assessed(clinical())
    assert (found.earliest, found.diagnosed_on, found.latest) == (KNOWN - EPISODE, KNOWN, KNOWN + EPISODE)
    assert assess("aln", clinical(), TODAY).earliest is None


def test_what_is_dated_after_the_question_is_not_known() -> None:
    """A diagnosis of tomorrow asks nothing today; a refusal names it."""
    tomorrow = TODAY + timedelta(days=1)
    assert not assessed(dated(clinical(), diagnosis=tomorrow)).asked
    known = known_until(dated(clinical(grade=3), grade=tomorrow), TODAY)
    assert known.value("grade") is None and known.value("side") == "L"
    assert known.refused == (Refusal("grade", "dated in the future"),)


@given(
    question=st.sampled_from(["aln", "nsln"]),
    days=st.dictionaries(
        st.sampled_from(["diagnosis", "side", "surgery_date", "axillary_surgery_date", "sentinel_positive"]),
        st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    ),
    treated=st.dates(date(2020, 1, 1), date(2027, 1, 1)),
)
def test_an_estimate_is_never_of_after_its_cutoff(question: str, days: dict[str, date], treated: date) -> None:
    """Whatever the days: where there may be an estimate, the cancer was known by today, and by treatment for aln."""
    known = dated(clinical(**{**SENTINEL, "surgery_date": treated}), **days)
    found = assessed(known, question)
    if found.open_sides:
        assert found.diagnosed_on is not None and found.diagnosed_on <= TODAY
        if question == "aln":
            assert found.cutoff is None or found.diagnosed_on < found.cutoff


DATED: dict[str, Value] = {"surgery_date": date(2026, 11, 12)}


@pytest.mark.parametrize(
    ("before", "diagnosed_on"),
    [
        (Fact("invasive", date(2026, 10, 1)), date(2026, 10, 1)),
        (Fact("unknown", date(2026, 10, 1)), date(2026, 11, 15)),
        (Fact("invasive", date(2021, 10, 1)), date(2026, 11, 15)),
    ],
)
def test_a_cancer_counts_from_when_it_was_first_confirmed(before: Fact, diagnosed_on: date) -> None:
    """To say it again is no later diagnosis; what was said of an earlier cancer is not of this one."""
    found = assessed(with_earlier(dated(clinical(), diagnosis=date(2026, 11, 15)), diagnosis=before))
    assert found.diagnosed_on == diagnosed_on


@pytest.mark.parametrize(("before", "is_open"), [("invasive", True), ("unknown", False)])
def test_what_was_known_before_treatment_is_not_late(before: str, is_open: bool) -> None:
    """Though it was written down again after surgery."""
    again = dated(clinical(**DATED), diagnosis=date(2026, 11, 15))
    found = assessed(with_earlier(again, diagnosis=Fact(before, date(2026, 10, 1))))
    assert (found.open_sides == (Side.L,)) is is_open


@pytest.mark.parametrize("name", ["clinical_n", "node_biopsy"])
def test_what_treatment_made_of_a_node_does_not_make_it_negative(name: str) -> None:
    """Before it, it was positive."""
    first, then = {"clinical_n": ("N1", "N0"), "node_biopsy": ("positive", "negative")}[name]
    was = {name: Fact(first, date(2026, 10, 20))}
    later = dated(clinical(**{name: then}, **DATED), **{name: date(2026, 11, 15)})
    assert assessed(with_earlier(later, **was)).open_sides == ()
