"""How one destination wants to be served."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from agent.core.retry import RetryPolicy

PROBE_S: Final = 60.0
"""Between two calls of a destination that is down, at least; a site whose `retry.max_s` is shorter wants it sooner."""


class Confirm(StrEnum):
    """What counts as proof that an object arrived."""

    COMMITMENT = "commitment"  # a storage commitment report
    READ_BACK = "read_back"  # C-FIND lists it
    NONE = "none"  # the C-STORE response


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """Times are in seconds. A commitment report that takes longer than `commitment_within_s` is asked for again.

    Raises
    ------
    ValueError
        If `confirm` is none of the three, or the times contradict each other (`RetryPolicy`).
    """

    confirm: Confirm | str
    first_s: float
    max_s: float
    give_up_after_s: float
    commitment_within_s: float = 900

    def __post_init__(self) -> None:
        Confirm(self.confirm)
        self.retry  # noqa: B018 - checks the times

    @property
    def retry(self) -> RetryPolicy:
        """The backoff of this destination."""
        return RetryPolicy(self.first_s, self.max_s, self.give_up_after_s)


def probe_pause(policy: RetryPolicy, jitter: float) -> timedelta:
    """Return how long a destination that is down is left alone; `jitter` in [0, 1] makes it up to a tenth longer."""
    return timedelta(seconds=min(policy.max_s, PROBE_S) * (1 + jitter / 10))
