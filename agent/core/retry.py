"""When to try again, and when to stop: decided from numbers alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Jittered exponential backoff with an end.

    Raises
    ------
    ValueError
        If the times are not positive, or the first delay is longer than the longest.
    """

    first_s: float
    max_s: float
    give_up_after_s: float

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.max_s or self.give_up_after_s <= 0:
            raise ValueError("0 < first_s <= max_s and 0 < give_up_after_s must hold")


def retry_delay(policy: RetryPolicy, attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after `attempts` failures.

    The ceiling doubles with each failure from `first_s` to `max_s`; the delay lies in its upper half, so that
    many senders that failed together do not come back together.

    Parameters
    ----------
    policy : RetryPolicy
        First and longest delay.
    attempts : int
        Failures so far, this one included; 1 or more.
    jitter : float
        Random, in [0, 1].
    """
    doublings = min(max(attempts, 1) - 1, 64)
    ceiling_s = min(policy.max_s, policy.first_s * 2.0**doublings)
    return timedelta(seconds=ceiling_s * (0.5 + jitter / 2))


def is_over(policy: RetryPolicy, since: datetime, now: datetime) -> bool:
    """Whether `give_up_after_s` has passed."""
    return now - since >= timedelta(seconds=policy.give_up_after_s)
