"""The PACS's word and missing views, as evidence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.evidence import Counted, Observed, Patience, judge

OPENED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATIENCE = Patience(quiet=MINUTE, wait_for={"MR": 3 * HOUR}, counts_wait=HOUR, poll=MINUTE)
NOW = OPENED + 10 * MINUTE
ALL = Observed(OPENED, OPENED, False, frozenset({"MG"}), True)
SURE = Counted("MG", 4, 0, True, OPENED + 5 * MINUTE)
PROOF = "4 of 4 instances of the MG study are here, by the PACS's count at 2026-11-20 09:05 UTC."


def seen(*counts: Counted, **changes: object) -> Observed:
    """A quiet case with these counts."""
    return replace(ALL, counts=counts, **changes)


def test_complete_by_the_count() -> None:
    """All that the PACS lists is here, twice in a row: complete, and it says so."""
    verdict = judge(seen(SURE), PATIENCE, NOW)
    assert verdict.complete and verdict.sentences[-1] == PROOF and verdict.missing == ()


DOUBTS = [
    (Counted("MG", 0, 0, False, None), "The PACS has not said what the MG study holds."),
    (Counted("", 0, 0, False, None), "The PACS has not said what a study holds."),
    (replace(SURE, listed=0), "The PACS lists no instance of the MG study."),
    (replace(SURE, missing=1), PROOF.replace("4 of", "3 of", 1)),
    (replace(SURE, stable=False), "The PACS's count of the MG study may still change."),
    (
        replace(SURE, stable=False, acquired_on=date(2026, 11, 19)),
        "The PACS's count of the MG study of 2026-11-19 may still change.",
    ),
]


@pytest.mark.parametrize(("count", "why"), DOUBTS)
def test_a_doubt_holds_the_case_for_its_wait(count: Counted, why: str) -> None:
    """Looked at again with the next answer, at most until the wait is over."""
    verdict = judge(seen(SURE, count), PATIENCE, NOW)
    assert not verdict.complete and verdict.sentences == (why,) and verdict.due_at == NOW + MINUTE
    late = OPENED + HOUR - timedelta(seconds=5)
    assert judge(seen(count), PATIENCE, late).due_at == OPENED + HOUR
    assert judge(seen(count), PATIENCE, OPENED + HOUR).complete


@pytest.mark.parametrize(
    ("count", "sentences", "missing"),
    [
        (DOUBTS[0][0], ["The PACS could not be asked for its counts."], ()),
        (DOUBTS[2][0], [DOUBTS[2][1]], ()),
        (DOUBTS[3][0], [DOUBTS[3][1]], ("1 of 4 instances of MG",)),
        (DOUBTS[4][0], [PROOF, DOUBTS[4][1]], ()),
    ],
)
def test_what_was_not_proven_is_said(count: Counted, sentences: list[str], missing: tuple[str, ...]) -> None:
    """After the wait the case goes on, and the evidence says how far."""
    verdict = judge(seen(count), PATIENCE, OPENED + HOUR)
    assert verdict.complete and list(verdict.sentences[2:]) == sentences and verdict.missing == missing


def test_what_is_missing_of_a_modality_holds_as_long_as_the_modality() -> None:
    """An hour for a mammogram, three for MR; the wait begins with the last news."""
    lacking = replace(SURE, modality="MR", missing=2)
    assert not judge(seen(lacking), PATIENCE, OPENED + 2 * HOUR).complete
    assert judge(seen(lacking), PATIENCE, OPENED + 3 * HOUR).complete
    news = seen(lacking, asked_since=OPENED + HOUR)
    assert not judge(news, PATIENCE, OPENED + 3 * HOUR).complete
    assert judge(news, PATIENCE, OPENED + 4 * HOUR).complete


def test_what_is_being_fetched_holds_the_case() -> None:
    """For the wait; what did not come is said."""
    verdict = judge(seen(fetching=True), PATIENCE, NOW)
    assert not verdict.complete
    assert verdict.sentences == ("Other studies of this patient are being fetched from the PACS.",)
    late = judge(seen(fetching=True, not_fetched=("It did not come.",)), PATIENCE, OPENED + HOUR)
    assert late.complete and late.sentences[-1] == "It did not come."


def test_without_a_pacs_nothing_is_said_of_it() -> None:
    """Where the site asks none, neither counts nor fetching matter."""
    patience = replace(PATIENCE, counts_wait=None)
    verdict = judge(seen(DOUBTS[0][0], fetching=True), patience, NOW)
    assert verdict.complete and not any("PACS" in sentence for sentence in verdict.sentences)


def test_a_missing_view_holds_the_case_as_long_as_a_missing_mammogram() -> None:
    """Then it goes on and names the view; without a wait it is only named."""
    patience = Patience(quiet=MINUTE, wait_for={"MG": 2 * HOUR})
    observed = replace(ALL, missing_views=("left MLO",))
    early = judge(observed, patience, OPENED + HOUR)
    assert not early.complete and early.due_at == OPENED + 2 * HOUR
    assert early.sentences == ("The left MLO is expected until 2026-11-20 11:00 UTC.",)
    for verdict in (judge(observed, patience, OPENED + 2 * HOUR), judge(observed, Patience(MINUTE), NOW)):
        assert verdict.complete and verdict.missing == ("left MLO",)
        assert verdict.sentences[-1] == "The left MLO did not arrive."


COUNTS = st.builds(
    Counted,
    st.sampled_from(["MG", "MR"]),
    st.integers(0, 5),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([None, OPENED]),
)


@settings(deadline=None)
@given(st.lists(COUNTS, max_size=3), st.booleans(), st.integers(60, 20_000))
def test_the_pacs_never_holds_a_case_for_ever(counts: list[Counted], fetching: bool, later_s: int) -> None:
    """Complete means no doubt or no wait left; not complete means a due time ahead and a reason."""
    now = OPENED + timedelta(seconds=later_s)
    verdict = judge(seen(*counts, fetching=fetching), PATIENCE, now)
    assert verdict.complete or (verdict.due_at > now and verdict.sentences)
    doubtful = fetching or any(c.missing or not (c.stable and c.listed and c.counted_at) for c in counts)
    if not doubtful or now >= OPENED + 3 * HOUR:
        assert verdict.complete
    if doubtful and now < OPENED + HOUR:
        assert not verdict.complete


def test_what_is_fetched_again_is_waited_for_as_long_as_the_pacs_is() -> None:
    """Images that are no longer kept hold the case, and no longer than a count does."""
    verdict = judge(seen(SURE, returning=3), PATIENCE, NOW)
    assert not verdict.complete
    assert verdict.sentences == ("3 instances that are no longer kept here are being fetched again from the PACS.",)
    assert verdict.due_at == NOW + MINUTE
    assert judge(seen(SURE, returning=3), PATIENCE, OPENED + HOUR).complete
