"""What a keeper does beside a receiver: it reads on from where it was, and releases segments to be used anew.

So what tells stale records from new ones is tried at each fault: a place that was read once never shows another record,
and whoever goes on from there sees all that is new.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.spool import Disk, SpoolReader, release, segments
from agent.spool.maker import SegmentMaker
from agent.spool.segment import Identity
from tests.faults.receive.ledger import ACKNOWLEDGED_KINDS, Ledger, Taken, key_of


def take_in(folder: Path) -> Taken:
    """Read everything that is there."""
    cursor: dict[int, SpoolRef] = {}
    places: dict[SpoolRef, str] = {}
    for record in SpoolReader(folder).after({}):
        cursor[record.ref.segment] = record.ref
        if record.kind in ACKNOWLEDGED_KINDS:
            places[record.ref] = key_of(record)
    return Taken(cursor, places)


def release_closed(
    folder: Path, ledger: Ledger, disk: Disk | None = None, note: Callable[[Taken, set[str]], object] | None = None
) -> set[int]:
    """Take everything in and release what is closed, as if no case needed it; return which segments that were.

    Of what stood there nothing is asked any more. `note` is told that before anything is released.
    """
    taken, closed = take_in(folder), [one for one in segments(folder) if one.may_be_looked_at]
    uses = {(one.number, one.generation) for one in closed}
    given_up = {key for ref, key in taken.places.items() if (ref.segment, ref.generation) in uses}
    ledger.taken = taken
    ledger.acknowledged -= given_up
    if note:
        note(taken, given_up)
    for number, generation in sorted(uses):
        with suppress(Transient):  # the keeper would try again later
            release(folder, number, generation, disk)
    return {one.number for one in closed}


def came_into(folder: Path, numbers: set[int], keys: set[str]) -> bool:
    """Whether any of these things stands in one of these segments."""
    records = (record for record in SpoolReader(folder).after({}) if record.kind in ACKNOWLEDGED_KINDS)
    return any(record.ref.segment in numbers and key_of(record) in keys for record in records)


@contextmanager
def keeps_generation() -> Iterator[None]:
    """Plant a defect: a segment that is used anew has the generation that it had."""
    renew: Any = SegmentMaker.renew

    def renewed(maker: SegmentMaker, old: Identity) -> Any:
        before = Identity(old.number, old.generation - 1, old.size, old.first_sequence, old.created_at_ns)
        return renew(maker, before)

    vars_of: Any = SegmentMaker
    vars_of.renew = renewed
    try:
        yield
    finally:
        vars_of.renew = renew
