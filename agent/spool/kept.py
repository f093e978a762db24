"""What the keeper does to the spool: it copies what is still needed into segments of its own, and releases the rest.

The receiver alone writes to its segments. So the keeper's lie in a folder of their own, with a writer of their own.
They count in the limit: the receiver leaves room for what is there and for one more, so that there always is one to
copy into, and gives up as much of what is released.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from agent.core.instance import SpoolRef
from agent.core.retention import SegmentState
from agent.spool.disk import Disk
from agent.spool.errors import translated
from agent.spool.reader import KEPT, SpoolReader
from agent.spool.released import release, segments
from agent.spool.watermark import Watermark
from agent.spool.writer import Channel, SpoolWriter, segment_bytes_of


def files_bytes(folder: Path) -> int:
    """Return the size of all segments of a folder, unfinished ones too. Raises SpoolFailed."""
    try:
        return sum(path.stat().st_size for path in folder.glob("segment-*"))
    except FileNotFoundError:
        return files_bytes(folder)  # one went meanwhile
    except OSError as error:
        raise translated(error) from error


def set_aside(folder: Path, limit_bytes: int) -> int:
    """Return how much of the limit the receiver leaves to copies: what there is of them, and one segment."""
    return files_bytes(folder / KEPT) + segment_bytes_of(limit_bytes)


class KeptSpool:
    """Satisfies `agent.core.ports_retention.SpoolKeeper`. One a spool; it writes from its first copy on.

    Parameters
    ----------
    folder
        The receiver's.
    limit_bytes
        Most bytes that all segments together may take.
    now
        The clock, timezone-aware UTC.
    watermark
        That below which the receiver refuses.
    disk
        The calls that change the disk. Tests pass some that fail.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        now: Callable[[], datetime],
        watermark: Watermark | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._watermark = watermark or Watermark()
        self._now = now
        self._disk = disk or Disk()
        self._reader = SpoolReader(folder)
        self._writer: SpoolWriter | None = None
        self._channel: Channel | None = None
        self._copied_at: datetime | None = None  # what is copied arrived when it did

    @property
    def limit_bytes(self) -> int:
        """Most bytes that all segments together may take; less where the disk has less. Raises SpoolFailed."""
        if not self._folder.is_dir():
            return self._limit_bytes
        try:
            free = self._watermark.spare_bytes(self._folder)
        except OSError as error:
            raise translated(error) from error
        return min(self._limit_bytes, files_bytes(self._folder) + files_bytes(self._folder / KEPT) + free)

    def segments(self) -> Sequence[SegmentState]:
        """Every segment, as it stands now. Raises SpoolFailed."""
        received = segments(self._folder) if self._folder.is_dir() else []
        kept = segments(self._folder / KEPT) if (self._folder / KEPT).is_dir() else []
        return [*received, *(replace(one, number=-one.number) for one in kept)]

    def is_read(self, segment: SegmentState, last: SpoolRef | None) -> bool:
        """Whether nothing lies behind the last record that was taken in; copies were. Raises SpoolFailed, Permanent."""
        return segment.number < 0 or self._reader.is_read(segment.number, last)

    def record_bytes(self, ref: SpoolRef) -> int:
        """Length of a record. Raises Permanent, SpoolFailed."""
        return self._reader.record_bytes(ref)

    def copy(self, refs: Sequence[SpoolRef]) -> Mapping[SpoolRef, SpoolRef]:
        """Copy records, durably, and return where the copies lie.

        Raises
        ------
        SpoolFull, SpoolFailed
            If there is no room, or the disk refuses. What was copied so far is read by nobody.
        SpoolLocked
            If another process copies.
        Permanent
            If one is gone or damaged.
        """
        channel = self._opened()
        places = {}
        for ref in refs:
            record = self._reader.read(ref)
            self._copied_at = record.received_at
            place = channel.append(record.kind, record.meta, record.payload)
            places[ref] = replace(place, segment=-place.segment)
        self._copied_at = None
        return places

    def release(self, segment: SegmentState) -> None:
        """Have a closed segment used anew; the room of one of our own is given back. Raises SpoolFull, SpoolFailed."""
        if segment.number > 0:
            release(self._folder, segment.number, segment.generation, self._disk)
            return
        self._opened()
        release(self._folder / KEPT, -segment.number, segment.generation, self._disk)
        if self._writer is not None:
            self._writer.shrink()

    def close(self) -> None:
        """Give the folder of copies up. Harmless when repeated."""
        if self._channel is not None and self._writer is not None:
            self._channel.close()
            self._writer.close()
        self._channel = self._writer = None

    def _opened(self) -> Channel:
        if self._channel is None:
            self._writer = SpoolWriter(
                self._folder / KEPT,
                limit_bytes=self._limit_bytes,
                beside=lambda: files_bytes(self._folder),
                refuse_below_free_bytes=0,
                segment_bytes=segment_bytes_of(self._limit_bytes),
                max_object_bytes=self._limit_bytes,  # what was taken before is no longer to be judged
                keep_spare=False,
                now=lambda: self._copied_at or self._now(),
                disk=self._disk,
            )
            self._channel = self._writer.channel()
        return self._channel
