"""How many bytes of the spool objects take that have begun and not ended, of all peers and of each."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.receive.admission import Account
from agent.receive.journal import Draft, SpoolChannel


class TooMuchUnfinished(Transient):
    """Another part of an object would be more than unfinished ones may take."""


class Unfinished:
    """Counts the bytes of unfinished records. Threads share it.

    Parameters
    ----------
    most_bytes
        Returns the most bytes of all peers now; one has half of it at most, so that none keeps the others out.
    """

    def __init__(self, most_bytes: Callable[[], int]) -> None:
        self._most_bytes = most_bytes
        self._taken: Counter[Account] = Counter()
        self._lock = threading.Lock()

    def counted(self, channel: SpoolChannel, account: Account) -> SpoolChannel:
        """Return a channel whose unfinished records count as this peer's."""
        return _CountedChannel(channel, self, account)

    def take(self, account: Account, count: int) -> None:
        """Count bytes of a peer. Raises TooMuchUnfinished; then none are counted."""
        most = self._most_bytes()
        with self._lock:
            if self._taken[account] + count > most // 2:
                raise TooMuchUnfinished("the unfinished objects of this peer take too much")
            if self._taken.total() + count > most:
                raise TooMuchUnfinished("the unfinished objects of all peers take too much")
            self._taken[account] += count

    def give_back(self, account: Account, count: int) -> None:
        """Count them no more: they are finished, or given up."""
        with self._lock:
            self._taken[account] -= count
            if not self._taken[account]:
                del self._taken[account]  # addresses are many


class _CountedChannel:
    def __init__(self, channel: SpoolChannel, unfinished: Unfinished, account: Account) -> None:
        self._channel = channel
        self._unfinished = unfinished
        self._account = account

    def append(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes) -> SpoolRef:
        return self._channel.append(kind, meta, payload)

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> Draft:
        return _CountedDraft(self._channel.begin(kind, meta), self._unfinished, self._account)

    def close(self) -> None:
        self._channel.close()


class _CountedDraft:
    """A record that comes in one piece is never counted: it is finished when it is written."""

    def __init__(self, draft: Draft, unfinished: Unfinished, account: Account) -> None:
        self._draft = draft
        self._unfinished = unfinished
        self._account = account
        self._bytes = 0

    @property
    def taken_bytes(self) -> int:
        return self._draft.taken_bytes

    def write(self, chunks: Sequence[memoryview]) -> None:
        self._draft.write(chunks)  # first: that an object alone is too large says more than that its peer has too much
        count = self._draft.taken_bytes - self._bytes
        self._unfinished.take(self._account, count)
        self._bytes += count

    def commit(self, chunks: Sequence[memoryview] = ()) -> SpoolRef:
        try:
            return self._draft.commit(chunks)
        finally:
            self._give_back()

    def abandon(self) -> None:
        self._draft.abandon()
        self._give_back()

    def _give_back(self) -> None:
        if self._bytes:
            self._unfinished.give_back(self._account, self._bytes)
            self._bytes = 0
