"""A spool's writing side in memory, whose drafts can fail."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind


class FakeChannel:
    """Keeps what was committed. `fail_at` names the calls that fail: "begin", "write", "commit"."""

    def __init__(self) -> None:
        self.records: list[tuple[RecordKind, dict[str, str], bytes]] = []
        self.fail_at: set[str] = set()
        self.abandoned = 0
        self.is_closed = False
        self.calls: list[str] = []

    @property
    def payloads(self) -> list[bytes]:
        """What was committed as instances."""
        return [payload for kind, _, payload in self.records if kind is RecordKind.INSTANCE]

    def channel(self) -> "FakeChannel":
        """Be the only channel."""
        return self

    def append(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes) -> SpoolRef:
        """Keep a record."""
        self.records.append((kind, dict(meta), bytes(payload)))
        return SpoolRef(1, 1, len(self.records))

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> "FakeDraft":
        """Begin one. Raises Transient if told to."""
        self.check("begin")
        return FakeDraft(self, kind, meta)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True

    def check(self, call: str) -> None:
        """Note a call; fail if it is to fail."""
        self.calls.append(call)
        if call in self.fail_at:
            raise Transient("told to")


class FakeDraft:
    """Copies what it gets, as the buffers are used again."""

    def __init__(self, channel: Any, kind: RecordKind, meta: Mapping[str, str]) -> None:
        self._channel, self._kind, self._meta = channel, kind, meta
        self._data = b""
        self._is_over = False

    @property
    def taken_bytes(self) -> int:
        """What came so far."""
        return len(self._data)

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Take a part."""
        assert not self._is_over
        self._channel.check("write")
        self._data += b"".join(chunks)

    def commit(self, chunks: Sequence[memoryview] = ()) -> SpoolRef:
        """Keep it all."""
        assert not self._is_over
        self._is_over = True
        self._channel.check("commit")
        return self._channel.append(self._kind, self._meta, self._data + b"".join(chunks))

    def abandon(self) -> None:
        """Note it, once."""
        self._channel.abandoned += not self._is_over
        self._is_over = True
