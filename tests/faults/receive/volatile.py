"""A disk that keeps a log of all that is asked of it, and what a power loss would leave at any place in that log.

A write may be on the disk from the moment it is asked for; it is there for sure when a sync that was asked for after
it has returned. Until then each sector has any state that it had since. After a sync that failed the kernel calls what
it could not write clean: no later sync writes it.
"""

import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.spool import Disk
from agent.spool.record import Chunk
from tests.faults.receive.events import Acknowledged, Event, GivenUp, Named, Settled, Sync, Wrote
from tests.faults.receive.ledger import Taken

SECTOR: Final = 512
MODES: Final = ("nothing", "everything", "first", "last", "any")
"""What of the sectors that nobody synced is there: of an order of writes the first, the last, or any."""
CALLS: Final = ("open", "pwritev", "fdatasync", "fsync", "allocate", "rename", "unlink")
_NAMES: Final = 0  # the folders as one file, for their syncs: a journal keeps all changes of names in one order


class LoggingDisk:
    """Keeps the log while files are really written. Nothing is really synced.

    `fail` lets the n-th call of one kind fail; half of a write that fails is written.
    """

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.calls: Counter[str] = Counter()
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[int, int] = {}  # inode -> number
        self._numbers = itertools.count(_NAMES + 1)
        self._syncs = itertools.count()
        self._order: tuple[str, int, int] | None = None
        self.disk = Disk(
            open=self._open,
            pwritev=self._write,
            fdatasync=lambda fd: self._sync("fdatasync", fd),
            fsync=lambda fd: self._sync("fsync", fd),
            allocate=self._allocate,
            rename=self._rename,
            unlink=self._unlink,
        )

    def fail(self, call: str, number: int, error: int) -> None:
        """Let the n-th call of a kind from now on fail with an error number."""
        self.calls.clear()
        self._order = (call, number, error)

    @property
    def has_failed(self) -> bool:
        """Whether the call that was to fail came."""
        return self._order is None

    def note(self, event: Event) -> None:
        """Add to the log."""
        with self._lock:
            self.events.append(event)

    def _is_to_fail(self, call: str) -> OSError | None:
        with self._lock:
            self.calls[call] += 1
            if self._order is None or (call, self.calls[call]) != self._order[:2]:
                return None
            error, self._order = self._order[2], None
            return OSError(error, os.strerror(error))

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def _file(self, fd: int) -> int:
        return self._files[os.fstat(fd).st_ino]

    def _open(self, path: Path, flags: int) -> int:
        if error := self._is_to_fail("open"):
            raise error
        is_new = bool(flags & os.O_CREAT) and not path.exists()
        fd = os.open(path, flags | os.O_CLOEXEC, 0o640)
        if is_new:
            number = self._files[os.fstat(fd).st_ino] = next(self._numbers)
            self.note(Named({self._name(path): number}))
        return fd

    def _write(self, fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> int:
        file, data = self._file(fd), b"".join(chunks)
        error = self._is_to_fail("pwritev")
        if error:
            data = data[: len(data) // 2]
        self.note(Wrote(file, offset, data))
        done = os.pwritev(fd, [data], offset)
        if error:
            raise error
        if flags & os.RWF_DSYNC:
            self.note(Settled(file, offset, done))
        return done

    def _sync(self, call: str, fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if path == self._folder.parent:
            return  # that the folder is there is not asked
        file = _NAMES if path.is_dir() else self._file(fd)
        number = next(self._syncs)
        self.note(Sync(file, number))
        error = self._is_to_fail(call)
        self.note(Sync(file, number, is_over=True, has_failed=error is not None))
        if error:
            raise error

    def _allocate(self, fd: int, offset: int, length: int) -> None:
        if error := self._is_to_fail("allocate"):
            raise error
        os.posix_fallocate(fd, offset, length)
        self.note(Wrote(self._file(fd), offset + length, b""))

    def _rename(self, old: Path, new: Path) -> None:
        if error := self._is_to_fail("rename"):
            raise error
        number = self._files[old.stat().st_ino]
        old.rename(new)
        self.note(Named({self._name(old): None, self._name(new): number}))

    def _unlink(self, path: Path) -> None:
        if error := self._is_to_fail("unlink"):
            raise error
        path.unlink()
        self.note(Named({self._name(path): None}))


@dataclass
class _File:
    """What is in the page cache, what is on the disk for sure, and what each other sector may be."""

    now: bytearray = field(default_factory=bytearray)
    sure: bytearray = field(default_factory=bytearray)
    states: dict[int, list[bytes]] = field(default_factory=dict)  # since the last sync, in the order of first writes
    never: dict[int, list[bytes]] = field(default_factory=dict)  # of a sync that failed: no other one writes them
    begun: dict[int, tuple[dict[int, int], int]] = field(default_factory=dict)  # sync -> states by sector, size

    def write(self, event: Wrote) -> None:
        """Take what is written."""
        end = event.offset + len(event.data)
        self.now.extend(bytes(max(end - len(self.now), 0)))
        self.now[event.offset : end] = event.data
        for at in _sectors(event.offset, end):
            self.states.setdefault(at, []).append(bytes(self.now[at : at + SECTOR]))

    def settle(self, event: Settled) -> None:
        """Take for sure what one call wrote and synced."""
        end = event.offset + event.length
        for at in _sectors(event.offset, end):
            self._be_sure(at, self.states.pop(at)[-1])

    def sync(self, event: Sync) -> None:
        """Begin a sync or end it."""
        if not event.is_over:
            self.begun[event.number] = {at: len(states) for at, states in self.states.items()}, len(self.now)
            return
        counts, size = self.begun.pop(event.number)
        for at, count in counts.items():
            states = self.states.pop(at, [])
            if len(states) > count:
                self.states[at] = states[count:]
            if event.has_failed:
                self.never.setdefault(at, []).extend(states[:count])
            elif states:
                self._be_sure(at, states[count - 1])
        if not event.has_failed:
            self.sure.extend(bytes(max(size - len(self.sure), 0)))

    def left(self, mode: str, chance: random.Random) -> bytearray:
        """Return what a power loss leaves."""
        left = bytearray(self.sure)
        if mode == "everything" or (mode != "nothing" and chance.random() < 0.5):
            left.extend(bytes(max(len(self.now) - len(left), 0)))
        for at, states in self.never.items():
            _put(left, at, chance.choice([None, *states]))
        kept = _kept(len(self.states), mode, chance)
        for number, (at, states) in enumerate(self.states.items()):
            if number in kept:
                _put(left, at, chance.choice([None, *states]) if mode == "any" else states[-1])
        return left

    def _be_sure(self, at: int, state: bytes) -> None:
        _put(self.sure, at, state)
        self.never.pop(at, None)


def _kept(count: int, mode: str, chance: random.Random) -> range:
    some = chance.randint(0, count)
    return {"nothing": range(0), "first": range(some), "last": range(some, count)}.get(mode, range(count))


def _put(into: bytearray, at: int, state: bytes | None) -> None:
    if state is not None:
        into.extend(bytes(max(at + len(state) - len(into), 0)))
        into[at : at + len(state)] = state


def _sectors(start: int, end: int) -> range:
    return range(start - start % SECTOR, end, SECTOR)


class Remains:
    """What there would be, were the power lost after the events that it was told."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.taken = Taken()
        self._files: dict[int, _File] = {}
        self._names: dict[str, int | None] = {}
        self._changes: list[Named] = []
        self._begun: dict[int, int] = {}

    def add(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case Acknowledged():
                self.acknowledged.add(event.key)
            case GivenUp():
                self.taken = event.taken
                self.acknowledged -= event.keys
            case Named():
                self._changes.append(event)
            case Sync(file=file) if file == _NAMES:
                self._sync_names(event)
            case Wrote():
                self._files.setdefault(event.file, _File()).write(event)
            case Settled():
                self._files[event.file].settle(event)
            case Sync():
                self._files.setdefault(event.file, _File()).sync(event)

    def leave(self, into: Path, mode: str, chance: random.Random) -> None:
        """Write what is left to a folder; changes of names come one after the other, as a journal keeps them."""
        names = dict(self._names)
        most = len(self._changes)
        for change in self._changes[: {"nothing": 0, "everything": most}.get(mode, chance.randint(0, most))]:
            names |= change.names
        for name, number in names.items():
            if number is not None:
                file = self._files.get(number)
                (into / name).parent.mkdir(exist_ok=True)
                (into / name).write_bytes(file.left(mode, chance) if file else b"")

    def _sync_names(self, event: Sync) -> None:
        if not event.is_over:
            self._begun[event.number] = len(self._changes)
            return
        count = self._begun.pop(event.number)
        if not event.has_failed:
            for change in self._changes[:count]:
                self._names |= change.names
            del self._changes[:count]
            self._begun = {number: max(begun - count, 0) for number, begun in self._begun.items()}
