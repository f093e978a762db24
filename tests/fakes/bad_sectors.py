"""A disk that does not give back what lies at certain places of files."""

import errno
import os
from pathlib import Path

import pytest


class BadSectors:
    """Real files; a read that touches a bad byte of one fails with EIO."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bad: set[tuple[int, int]] = set()  # inode, offset
        self._pread = os.pread
        monkeypatch.setattr(os, "pread", self._read)

    def spoil(self, path: Path, offset: int) -> None:
        """Let the byte at an offset be unreadable from now on."""
        self._bad.add((path.stat().st_ino, offset))

    def heal(self) -> None:
        """Give everything back."""
        self._bad.clear()

    def _read(self, fd: int, length: int, offset: int) -> bytes:
        inode = os.fstat(fd).st_ino
        if any(bad == inode and offset <= at < offset + length for bad, at in self._bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._pread(fd, length, offset)
