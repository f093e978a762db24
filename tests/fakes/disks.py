"""Disks that fail at the n-th call, die at it, or lose power: what the spool's writing side is tried on."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from agent.spool import Disk
from agent.spool.record import Chunk

SECTOR: Final = 512
CALLS: Final = tuple(field.name for field in fields(Disk) if field.name != "dsync")


class Dead(BaseException):
    """The process is killed here."""


class FailingDisk:
    """A disk whose n-th call of one kind (from now on) raises, or tears a write and then raises.

    Attributes
    ----------
    disk
        What to give to the spool.
    calls
        How many calls of each kind there were.
    """

    def __init__(self, base: Disk | None = None) -> None:
        base = base or Disk()
        self.calls: Counter[str] = Counter()
        self._order: tuple[str, int, BaseException] | None = None
        wrapped: dict[str, Any] = {name: self._wrapped(name, getattr(base, name)) for name in CALLS}
        self.disk = Disk(**wrapped, dsync=base.dsync)

    def fail(self, call: str, number: int, error: BaseException) -> None:
        """Let the n-th call of a kind raise; the kind "any" counts all."""
        self.calls.clear()
        self._order = (call, number, error)

    def work(self) -> None:
        """Fail no more."""
        self._order = None

    @property
    def is_waiting(self) -> bool:
        """Whether the call that is to fail has not come."""
        return self._order is not None

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.calls.update((name, "any"))
            if self._order is not None:
                kind, number, error = self._order
                if kind in (name, "any") and self.calls[kind] == number:
                    self._order = None
                    if name == "close":
                        call(*args)
                    if name == "pwritev":
                        _tear(call, *args)
                    raise error
            return call(*args)

        return counted


def _tear(pwritev: Callable[..., int], fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> None:
    """Write the first half of it."""
    whole = b"".join(chunks)
    if len(whole) > 1:
        pwritev(fd, [whole[: len(whole) // 2]], offset, 0)


class VolatileDisk:
    """A disk that knows what of it would survive a power loss: what was synced, and of the rest any sectors.

    Files are real, so the spool reads what it wrote. Of each sector every state since the last sync is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sure: dict[int, dict[int, bytes]] = defaultdict(dict)  # inode -> sector -> bytes
        self._open: dict[int, dict[int, list[bytes]]] = defaultdict(dict)
        self._sizes: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._name_changes: list[tuple[str, int | None]] = []
        self.disk = Disk(
            open=self._opened,
            pwritev=self._write,
            fdatasync=self._sync,
            fsync=self._sync,
            allocate=self._allocate,
            rename=self._rename,
            unlink=self._unlink,
        )

    def adopt(self) -> None:
        """Take what lies in the folder for durable."""
        for path in self._folder.rglob("*"):
            if path.is_file():
                inode, data = path.stat().st_ino, path.read_bytes()
                self._names[self._name(path)] = inode
                self._sizes[inode] = len(data)
                self._sure[inode] = {at: data[at : at + SECTOR] for at in range(0, len(data), SECTOR)}

    def after_power_loss(self, into: Path, choose: Callable[[int], int]) -> None:
        """Write what is left to another folder; `choose(n)` gives a number from 0 to n.

        Of each sector any state since its last sync may be there; of the changes of names, any first ones.
        """
        names = dict(self._names)
        for name, inode in self._name_changes[: choose(len(self._name_changes))]:
            _change(names, name, inode)
        for name, inode in names.items():
            sectors = dict(self._sure[inode])
            for at, states in self._open[inode].items():
                kept = choose(len(states))
                if kept:
                    sectors[at] = states[kept - 1]
            data = bytearray(self._sizes.get(inode, 0))
            for at, sector in sectors.items():
                data[at : at + len(sector)] = sector
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_bytes(data)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def _opened(self, path: Path, flags: int) -> int:
        is_new = bool(flags & os.O_CREAT) and not path.exists()
        fd = os.open(path, flags | os.O_CLOEXEC, 0o640)
        if is_new:
            inode = os.fstat(fd).st_ino
            self._sure[inode], self._open[inode], self._sizes[inode] = {}, {}, 0
            self._name_changes.append((self._name(path), inode))
        return fd

    def _write(self, fd: int, chunks: Sequence[Chunk], offset: int, flags: int) -> int:
        done = os.pwritev(fd, chunks, offset)
        inode = os.fstat(fd).st_ino
        for at in range(offset - offset % SECTOR, offset + done, SECTOR):
            sector = os.pread(fd, SECTOR, at)
            if flags & os.RWF_DSYNC:
                self._sure[inode][at] = sector
                self._open[inode].pop(at, None)
            else:
                self._open[inode].setdefault(at, []).append(sector)
        return done

    def _sync(self, fd: int) -> None:
        inode = os.fstat(fd).st_ino
        self._sure[inode].update({at: states[-1] for at, states in self._open[inode].items()})
        self._open[inode].clear()
        self._sizes[inode] = os.fstat(fd).st_size
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            for name, named in self._name_changes:
                _change(self._names, name, named)
            self._name_changes.clear()

    def _allocate(self, fd: int, offset: int, length: int) -> None:
        os.posix_fallocate(fd, offset, length)

    def _rename(self, old: Path, new: Path) -> None:
        inode = old.stat().st_ino
        old.rename(new)
        self._name_changes += [(self._name(new), inode), (self._name(old), None)]

    def _unlink(self, path: Path) -> None:
        path.unlink()
        self._name_changes.append((self._name(path), None))


def _change(names: dict[str, int], name: str, inode: int | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode
