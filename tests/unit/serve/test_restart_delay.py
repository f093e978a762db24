"""How long a process that dies young waits for its next start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.serve import MAX_DELAY_S, restart_delay_s


@pytest.mark.parametrize(
    ("early_deaths", "delay_s"),
    [(1, 0), (2, 0), (3, 0), (4, 0.25), (5, 0.5), (6, 1), (7, 2), (10, 16), (11, 30), (12, 30)],
)
def test_delays_grow_from_nothing_to_half_a_minute(early_deaths: int, delay_s: float) -> None:
    """The first deaths cost nothing, each further one twice as much."""
    assert restart_delay_s(early_deaths) == delay_s


@given(early_deaths=st.integers(1, 10**9))
def test_delays_never_shrink_and_are_bounded(early_deaths: int) -> None:
    """A crash loop of any length is a start every half a minute."""
    assert 0 <= restart_delay_s(early_deaths) <= restart_delay_s(early_deaths + 1) <= MAX_DELAY_S
