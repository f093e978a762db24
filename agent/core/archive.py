"""A PACS as the rooms ask it to store, list and commit. Its contract test is passed by the fake and the real one."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """Answer of a peer to one C-STORE."""

    sop_instance_uid: str
    status: int | None  # DIMSE status; None: no presentation context was accepted for it


OnReport = Callable[[bytes, str], None]
"""Takes the event information of a storage commitment report, encoded, and its transfer syntax. Raises Transient."""


class Archive(Protocol):
    """A PACS as we see it as a client."""

    def store(
        self, parts: Sequence[bytes], *, may_send: Callable[[], bool] = lambda: True
    ) -> Generator[StoreOutcome, None, None]:
        """Store Part 10 files over one association, yielding each outcome at once; closing it ends the association.

        `may_send` is asked right before each object leaves; where it says no, the rest stays here.

        Raises Unreachable before the first outcome, Transient, Permanent (a part is no Part 10 file).
        """

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the peer lists the instance (C-FIND, study root, IMAGE level). Raises Transient."""

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Ask for storage commitment of (SOP class, SOP instance) pairs. Raises Transient, Permanent (not offered).

        A peer that reports on the same association is answered with success once `on_report` returns; without one
        it is told to report elsewhere.
        """

    def echo(self) -> None:
        """C-ECHO. Raises Transient."""
