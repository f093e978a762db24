"""The connections that wait, and who goes first when there are too many."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from agent.receive.caller import Caller

MAX_REQUESTS_BYTES: Final = 32 << 20
"""Bytes of requests that have not come to their end. A request is a hundredth of a MiB, and takes milliseconds."""


class WaitingRoom:
    """Bounded, and fair: who has most connections here loses its oldest, so that no peer can keep another out.

    The oldest, not the newest: a peer that asks for something does so at once.

    Parameters
    ----------
    most
        Connections that may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._callers: dict[int, Caller] = {}  # by identity, in order of arrival
        self._of_peer: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._callers)

    def __iter__(self) -> Iterator[Caller]:
        return iter(list(self._callers.values()))

    def add(self, caller: Caller) -> Caller | None:
        """Take one in; return who has to go for it."""
        self._callers[id(caller)] = caller
        self._of_peer[caller.peer] += 1
        return self.oldest_of_most() if len(self._callers) > self._most else None

    def remove(self, caller: Caller) -> None:
        """Let one go."""
        del self._callers[id(caller)]
        self._of_peer[caller.peer] -= 1
        if not self._of_peer[caller.peer]:
            del self._of_peer[caller.peer]

    def oldest_of_most(self) -> Caller | None:
        """Return the oldest connection of the address that has most."""
        if not self._callers:
            return None
        ((peer, _),) = self._of_peer.most_common(1)
        return next(caller for caller in self._callers.values() if caller.peer == peer)

    def largest_beyond(self, most_bytes: int = MAX_REQUESTS_BYTES) -> Caller | None:
        """Return whose request has most bytes, if all have more together than they may."""
        if sum(len(caller.request) for caller in self._callers.values()) <= most_bytes:
            return None
        return max(self._callers.values(), key=lambda caller: len(caller.request))

    def overdue(self, now: float) -> list[Caller]:
        """Return those whose deadline has passed."""
        return [caller for caller in self._callers.values() if caller.deadline <= now]
