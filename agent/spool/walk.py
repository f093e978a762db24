"""The way along a segment, from the last record that was read to where its records end as it stands now."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool.errors import SpoolUnreadable, not_read
from agent.spool.record import Header
from agent.spool.segment import (
    DATA_START,
    PAGE,
    Entry,
    Identity,
    next_entry,
    next_readable,
    opened,
    read_horizon,
    read_identity,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """A record seen in a segment, not read yet.

    Where the disk does not give back its header nothing is known, not even how many there are on that page. So its
    place is that of no record, an odd one: what was lost there is never taken for found because one of them is.
    """

    path: Path
    identity: Identity
    entry: Entry
    has_header: bool = True

    @property
    def ref(self) -> SpoolRef:
        """Its place."""
        ref = self.entry.ref(self.identity)
        return ref if self.has_header else replace(ref, offset=ref.offset + 1)


class SegmentGone(Permanent):
    """A segment's file is not there any more."""


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Open a segment and close it again. Raises SegmentGone, SpoolFailed; SpoolUnreadable for a place on the disk."""
    try:
        with opened(path) as fd:
            yield fd
    except FileNotFoundError:
        raise SegmentGone("a spool segment is gone") from None
    except OSError as error:
        raise not_read(error) from error


def new_in(path: Path, last: SpoolRef | None) -> Iterator[Found]:
    """Walk as `behind` does. A segment that goes before anything was seen in it is passed over: it was not needed."""
    found = behind(path, last)
    try:
        first = next(found, None)
    except SegmentGone:
        return
    if first is not None:
        yield first
        yield from found


def behind(path: Path, last: SpoolRef | None) -> Iterator[Found]:
    """Walk along one segment, from behind the last record read.

    Raises
    ------
    SpoolUnreadable
        If the disk does not give back what the segment is.
    SpoolFailed, SegmentGone
        If it cannot be read, or is gone.
    """
    with reading(path) as fd:
        identity = read_identity(fd)
        horizon = None if identity is None else read_horizon(fd, identity)
    if identity is None or horizon is None:
        return
    found = _first(path, identity, last, horizon.end)
    while found is not None:
        yield found
        found = _following(found, horizon.end)  # not held open meanwhile: a backlog may have more segments than files


def uncovered(path: Path, hidden: SpoolRef, until: int) -> Iterator[Found]:
    """Walk from a place that stood for hidden records up to the offset of the next one that was found then.

    Raises
    ------
    SpoolUnreadable
        If the disk still does not give back what lies there.
    SpoolFailed, SegmentGone
        If it cannot be read, or is gone.
    """
    with reading(path) as fd:
        identity = read_identity(fd)
    if identity is None or identity.generation != hidden.generation:
        raise SegmentGone("a spool segment is gone")
    found = _at_or_after(path, identity, hidden.offset - 1, until)
    while found is not None:
        if not found.has_header:
            raise SpoolUnreadable("the disk does not give back a part of a spool segment")
        yield found
        found = _following(found, until)


def _first(path: Path, identity: Identity, last: SpoolRef | None, stop: int) -> Found | None:
    if last is None or last.generation != identity.generation:
        return _at_or_after(path, identity, DATA_START, stop)
    if last.is_hidden:
        found = _at_or_after(path, identity, last.offset - 1, stop)  # nothing behind it was read: it may be back
        is_back = found is None or found.has_header
        return found if is_back else _readable_after(path, identity, last.offset, stop)
    found = _at_or_after(path, identity, last.offset, stop)
    return _following(found, stop) if found is not None and found.entry.offset == last.offset else found


def _following(found: Found, stop: int) -> Found | None:
    if found.has_header:
        return _at_or_after(found.path, found.identity, found.entry.end, stop)
    return _readable_after(found.path, found.identity, found.entry.offset, stop)


def _at_or_after(path: Path, identity: Identity, offset: int, stop: int) -> Found | None:
    if offset >= stop:
        return None
    try:
        with reading(path) as fd:
            entry = next_entry(fd, identity, offset, stop)
    except SpoolUnreadable:
        return Found(path, identity, Entry(offset, _unknown(identity)), has_header=False)
    return None if entry is None else Found(path, identity, entry)


def _readable_after(path: Path, identity: Identity, offset: int, stop: int) -> Found | None:
    """Look for the next record on a later page: of those that the disk does give back none is passed over."""
    with reading(path) as fd:
        entry = next_readable(fd, identity, (offset // PAGE + 1) * PAGE, stop, stop)
    return None if entry is None else Found(path, identity, entry)


def _unknown(identity: Identity) -> Header:
    """Return what stands for a header that is not there: of this segment, as old as it."""
    since = _EPOCH + timedelta(microseconds=identity.created_at_ns // 1000)
    return Header(RecordKind.INSTANCE, identity.generation, identity.first_sequence, since, 0, 0, 0)
