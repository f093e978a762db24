"""A PACS as the rooms ask it to store, list and commit. Its contract test is passed by the fake and the real one."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
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
    """A PACS as we see it as a client. Each call is an association of its own, but for those within a session."""

    def session(
        self, pairs: Collection[tuple[str, str]] = (), *, reads_back: bool = False
    ) -> AbstractContextManager["Archive"]:
        """Give the archive over one association, which opens with the first call that needs it and ends with the block.

        `pairs` of SOP class and transfer syntax will be stored, and `reads_back` says that `has` will be called: all
        of it is proposed at once. Only what was not needs another association, and so does an association that the
        peer ended between two calls. In a session, a session is the same one.
        """

    def store(
        self,
        parts: Sequence[bytes],
        *,
        needs: Mapping[str, Collection[str]] | None = None,
        may_send: Callable[[str], bool] = lambda _: True,
    ) -> Generator[StoreOutcome, None, None]:
        """Store Part 10 files over one association, yielding each outcome as soon as it is there.

        Objects leave in order. Where the peer allows for it, several are under way, and outcomes come in any order.
        `may_send` is asked, by SOP Instance UID, right before each object leaves; where it says no, the rest stays
        here, and outcomes of what is under way still come. `needs` names, by SOP Instance UID, those that must be
        answered before an object leaves; where the answer is a failure that may pass, it stays here.

        Closing it early sends nothing more, and aborts the association where something is still under way.

        Raises Unreachable (Unanswered after outcomes, too), Transient, Permanent (a part is no Part 10 file).
        """

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the peer lists the instance (C-FIND, study root, IMAGE level). Raises Transient."""

    def request_commitment(
        self, transaction_uid: str, instances: Sequence[tuple[str, str]], on_report: OnReport | None = None
    ) -> None:
        """Ask for storage commitment of (SOP class, SOP instance) pairs. Raises Transient, Permanent (not offered).

        It has an association of its own. A peer that reports on the same one is answered with success
        once `on_report` returns; without one it is told to report elsewhere.
        """

    def echo(self) -> None:
        """C-ECHO. Raises Transient."""
