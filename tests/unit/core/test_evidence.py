from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.evidence import Observed, Patience, judge, spell

OPENED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATIENCE = Patience(quiet=MINUTE, expected=("MG", "US"), wait_for={"MG": 4 * HOUR, "US": 2 * HOUR})
ALL = Observed(OPENED, OPENED, False, frozenset({"MG", "US"}), True)


def test_complete_when_everything_is_there() -> None:
    """Quiet, no association, facts and all modalities: complete at once, with its evidence."""
    verdict = judge(ALL, PATIENCE, OPENED + MINUTE)
    assert verdict.complete and verdict.missing == () and verdict.due_at == OPENED + MINUTE
    assert verdict.sentences == (
        "No image arrived during the quiet period of 1 min.",
        "No association that carries this patient is open.",
        "Expected and present: MG, US.",
    )


def test_waits_for_the_quiet_period() -> None:
    """A moment before its end the case is not complete, and due at its end."""
    verdict = judge(ALL, PATIENCE, OPENED + timedelta(seconds=59))
    assert not verdict.complete and verdict.due_at == OPENED + MINUTE
    assert verdict.sentences == ("The quiet period of 1 min is not over.",)


def test_an_open_association_holds_the_case() -> None:
    """However long ago the last image came, an open association that carries the patient holds the case."""
    now = OPENED + 3 * HOUR
    verdict = judge(replace(ALL, open_association=True), PATIENCE, now)
    assert not verdict.complete and verdict.due_at == now + MINUTE
    assert verdict.sentences == ("An association that carries this patient is open.",)


def test_waits_for_the_clinical_database() -> None:
    """Where the site waits for facts, an unavailable database holds the case."""
    verdict = judge(replace(ALL, facts_known=False), PATIENCE, OPENED + HOUR)
    assert not verdict.complete and verdict.sentences == ("The clinical database could not be asked.",)


def test_goes_on_without_the_clinical_database_and_says_so() -> None:
    """Where the site does not wait, the evidence says that the database was away."""
    verdict = judge(replace(ALL, facts_known=False), replace(PATIENCE, wait_for_facts=False), OPENED + HOUR)
    assert verdict.complete and verdict.sentences[-1] == "The clinical database could not be asked."


def test_waits_for_a_missing_modality() -> None:
    """An expected modality holds the case until its own deadline."""
    verdict = judge(replace(ALL, present=frozenset({"MG"})), PATIENCE, OPENED + HOUR)
    assert not verdict.complete and verdict.due_at == OPENED + 2 * HOUR and verdict.missing == ("US",)
    assert verdict.sentences == ("US is expected until 2026-11-20 11:00 UTC.",)


def test_partial_when_the_wait_is_over() -> None:
    """At the deadline the case is complete without the modality, which is named."""
    verdict = judge(replace(ALL, present=frozenset({"MG"})), PATIENCE, OPENED + 2 * HOUR)
    assert verdict.complete and verdict.missing == ("US",)
    assert verdict.sentences[2:] == ("Expected and present: MG.", "No usable US arrived within 2 h.")


def test_a_modality_without_a_wait_does_not_hold() -> None:
    """What the site expects but does not wait for is only named."""
    patience = Patience(quiet=MINUTE, expected=("MR",))
    verdict = judge(ALL, patience, OPENED + MINUTE)
    assert verdict.complete and verdict.missing == ("MR",)
    assert verdict.sentences[2:] == ("No usable MR arrived.",)


def test_looks_again_when_the_last_wait_ends() -> None:
    """Of several waits the longest decides when to look again."""
    verdict = judge(replace(ALL, present=frozenset()), PATIENCE, OPENED)
    assert verdict.due_at == OPENED + 4 * HOUR and len(verdict.sentences) == 3


@pytest.mark.parametrize(
    ("span", "words"),
    [(4 * HOUR, "4 h"), (1.5 * HOUR, "90 min"), (MINUTE, "1 min"), (timedelta(seconds=2.5), "2.5 s")],
)
def test_spells_a_span(span: timedelta, words: str) -> None:
    """A span is written in the largest unit that divides it."""
    assert spell(span) == words


@settings(deadline=None)
@given(
    st.frozensets(st.sampled_from(["MG", "US", "MR"])),
    st.booleans(),
    st.booleans(),
    st.integers(0, 20_000),
    st.integers(0, 20_000),
)
def test_never_complete_against_the_evidence(
    present: frozenset[str], open_association: bool, facts_known: bool, change_s: int, later_s: int
) -> None:
    """Complete means that nothing holds the case; not complete means a due time ahead and a reason."""
    last_change = OPENED + timedelta(seconds=change_s)
    now = last_change + timedelta(seconds=later_s)
    verdict = judge(Observed(OPENED, last_change, open_association, present, facts_known), PATIENCE, now)
    assert set(verdict.missing) == {"MG", "US"} - present
    over = all(now >= OPENED + PATIENCE.wait_for[m] for m in verdict.missing)
    assert verdict.complete is (later_s >= 60 and not open_association and facts_known and over)
    assert verdict.sentences
    assert verdict.complete or verdict.due_at > now
