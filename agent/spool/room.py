"""What the segments of a folder take of the limit, and their files that go where the room is needed."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent.spool.disk import Disk
from agent.spool.errors import SpoolFull, is_of_the_place
from agent.spool.released import forget, identity_of, released
from agent.spool.segment import Identity, counted_bytes, segment_name


class Room:
    """Counts bytes and numbers of segments, and removes files. Threads may share it.

    Parameters
    ----------
    folder
        Where the segments lie.
    limit
        Returns the most bytes that all of them together may take now. Raises SpoolFailed.
    has_spare
        Whether the disk has so many bytes to spare.
    """

    def __init__(
        self, folder: Path, disk: Disk, limit: Callable[[], int], has_spare: Callable[[int], bool] = lambda _: True
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._limit = limit
        self._has_spare = has_spare
        self._lock = threading.Lock()
        self._used_bytes = 0
        self._being_made_bytes = 0  # counted, and perhaps not taken from the disk yet
        self._last_number = 0
        self._highest = 0  # of the files that have their name

    def adopt(self, used_bytes: int, last_number: int) -> None:
        """Begin with what an earlier run left."""
        self._used_bytes, self._last_number, self._highest = used_bytes, last_number, last_number

    @property
    def used_bytes(self) -> int:
        """What the segments take, those that are being made too."""
        return self._used_bytes

    def lacking(self, size: int) -> Callable[[], bool]:
        """Return what tells whether so many more bytes would pass the limit as it is now. Raises SpoolFailed."""
        limit = self._limit()
        return lambda: self._used_bytes + size > limit

    def has_spare(self, size: int) -> bool:
        """Whether the disk has so many bytes to spare, besides those of segments that are being made."""
        return self._has_spare(self._being_made_bytes + size)

    def claim(self, size: int, *, is_small: bool = False) -> int:
        """Count a segment of so many bytes that is to be made, and return its number.

        One for a small record need not leave the disk what is not the spool's.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is no room for it.
        """
        limit = self._limit()
        with self._lock:
            if self._used_bytes + size > limit:
                raise SpoolFull("the spool has reached its limit")
            if not is_small and not self.has_spare(size):
                raise SpoolFull("free disk space is near the watermark")
            self._used_bytes += size
            self._being_made_bytes += size
            self._last_number += 1
            return self._last_number

    def made(self, number: int, size: int) -> None:
        """Take note that a segment that was claimed has its name, durably."""
        with self._lock:
            self._being_made_bytes -= size
            self._highest = max(self._highest, number)

    def unclaim(self, size: int) -> None:
        """Take note that a segment that was claimed could not be made."""
        with self._lock:
            self._being_made_bytes -= size
            self._used_bytes -= size

    def claim_placeholder(self) -> int:
        """Return a number for a placeholder, which counts for nothing."""
        with self._lock:
            self._last_number += 1
            return self._last_number

    def is_highest(self, identity: Identity) -> bool:
        """Whether a segment's file may not go: its number would be used again after a restart."""
        return identity.number >= self._highest

    def remove(self, identity: Identity) -> None:
        """Remove a segment's file. Raises OSError."""
        self._disk.unlink(self._folder / segment_name(identity.number))
        with self._lock:
            self._used_bytes -= counted_bytes(identity.size)

    def remove_released(self, is_needed: Callable[[], bool], may_go: Callable[[Identity], bool]) -> None:
        """Remove released segments that may go as long as that is needed: the largest first, the highest last.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        for identity in sorted(self.released(), key=lambda identity: (self.is_highest(identity), -identity.size)):
            if not is_needed():
                return
            if may_go(identity):
                self.remove(identity)
                self.forget(identity)

    def released(self) -> list[Identity]:
        """Return the segments that were released and not used anew since; forget stale releases. Raises OSError."""
        found: list[Identity] = []
        for number, generation in sorted(released(self._folder)):
            try:
                identity = identity_of(self._folder, number)
            except OSError as error:
                if not is_of_the_place(error):
                    raise
                continue  # the others can be used anew
            if identity is None or identity.generation != generation:
                self._forget(number, generation)
            else:
                found.append(identity)
        return found

    def forget(self, identity: Identity) -> None:
        """Take the release of a use of a segment back that was obeyed."""
        self._forget(identity.number, identity.generation)

    def _forget(self, number: int, generation: int) -> None:
        with suppress(OSError):  # a stale release is harmless: it names a use that is over
            forget(self._folder, number, generation, self._disk)
