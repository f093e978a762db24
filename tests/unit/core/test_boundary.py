"""Where failures end."""

import pytest

from agent.core.boundary import contained


def test_a_failure_goes_no_further() -> None:
    """Whoever answers for it hears of it, once; without one nobody does."""
    heard: list[Exception] = []
    failure = ZeroDivisionError()

    def fail() -> None:
        raise failure

    assert contained(fail, heard.append) is None
    assert contained(lambda: 7, heard.append) == 7
    assert heard == [failure]


def test_the_end_of_the_process_is_no_failure() -> None:
    """It is let through."""

    def leave() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        contained(leave, lambda error: None)
