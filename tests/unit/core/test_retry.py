"""Backoff and its end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.retry import RetryPolicy, is_over, retry_delay

POLICY = RetryPolicy(first_s=5, max_s=300, give_up_after_s=3600)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
POLICIES = st.builds(
    lambda first, factor, end: RetryPolicy(first, first * factor, end),
    st.floats(0.01, 100),
    st.floats(1, 1000),
    st.floats(0.01, 1e7),
)


@given(POLICIES, st.integers(1, 10_000), st.floats(0, 1))
def test_delay_lies_in_the_upper_half_below_the_ceiling(policy: RetryPolicy, attempts: int, jitter: float) -> None:
    """A delay is never longer than the longest, and never shorter than half the first."""
    delay_s = retry_delay(policy, attempts, jitter).total_seconds()
    assert policy.first_s / 2 - 1e-6 <= delay_s <= policy.max_s + 1e-6


@given(POLICIES, st.integers(1, 100), st.floats(0, 1))
def test_delay_never_shrinks_with_attempts(policy: RetryPolicy, attempts: int, jitter: float) -> None:
    """One more failure never shortens the wait."""
    assert retry_delay(policy, attempts, jitter) <= retry_delay(policy, attempts + 1, jitter)


@given(st.floats(0, 1), st.floats(0, 1))
def test_jitter_spreads_the_delay(one: float, other: float) -> None:
    """More jitter, longer wait."""
    low, high = sorted((one, other))
    assert retry_delay(POLICY, 3, low) <= retry_delay(POLICY, 3, high)


def test_delays_double_up_to_the_longest() -> None:
    """Without jitter taken off, the delays are the ceiling itself."""
    delays = [retry_delay(POLICY, n, 1.0).total_seconds() for n in range(1, 9)]
    assert delays == [5, 10, 20, 40, 80, 160, 300, 300]


def test_no_attempt_counts_as_one() -> None:
    """Zero attempts wait like one."""
    assert retry_delay(POLICY, 0, 1.0) == retry_delay(POLICY, 1, 1.0)


@pytest.mark.parametrize(("after_s", "over"), [(3599.9, False), (3600, True), (4000, True), (-5, False)])
def test_end_comes_when_its_time_has_passed(after_s: float, over: bool) -> None:
    """The end is reached at `give_up_after_s`, not before."""
    assert is_over(POLICY, NOW, NOW + timedelta(seconds=after_s)) is over


@pytest.mark.parametrize("times", [(0, 5, 5), (-1, 5, 5), (6, 5, 5), (1, 5, 0)])
def test_contradictory_times_are_refused(times: tuple[float, float, float]) -> None:
    """A policy that cannot be kept is not made."""
    with pytest.raises(ValueError, match="must hold"):
        RetryPolicy(*times)
