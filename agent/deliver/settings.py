"""How one destination wants to be served."""

from dataclasses import dataclass
from enum import StrEnum

from agent.core.retry import RetryPolicy


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
