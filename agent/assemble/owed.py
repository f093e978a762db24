"""Records that were passed over: the disk did not give them back, or no copy for the quarantine could be made."""

from collections.abc import Callable
from typing import Final

import structlog

from agent.assemble.copying import Quarantine, copy_out
from agent.core.errors import Permanent, StaleCase, Transient, Unreadable
from agent.core.instance import SpoolRef
from agent.core.ports import Record, SpoolSource, Store
from agent.core.retention import OwedCopy

_log = structlog.get_logger()
_OF_ONE: Final = (Unreadable, Permanent)


def give_up(store: Store, ref: SpoolRef, by: str, why: str) -> None:
    """End what is owed of a record, by a person's word; its segment may go then. Raises Permanent if nothing is."""
    with store.unit() as unit:
        unit.alone()  # it may be taken in now
        if not unit.give_up_copy(ref, f"given up by {by}: {why}"):
            raise Permanent(f"nothing is owed of {ref.id}: `sentinode doctor spool` lists what is")
    _log.warning("spool_record_given_up_by_word", segment=ref.segment, offset=ref.offset, by=by)


class Owed:
    """Takes in what can be read at last, and makes the copies that are owed. Until then retention leaves both.

    Parameters
    ----------
    part10
        Makes a DICOM file of a record.
    take_late
        Takes in, once, a record that could not be read when it was due.
    """

    def __init__(
        self,
        spool: SpoolSource,
        store: Store,
        part10: Callable[[Record], bytes],
        quarantine: Quarantine,
        take_late: Callable[[Record], None],
    ) -> None:
        self._spool = spool
        self._store = store
        self._part10 = part10
        self._quarantine = quarantine
        self._take_late = take_late
        self._told: set[tuple[SpoolRef, str]] = set()

    def tick(self) -> int:
        """Try each, the longest owed first, and return how many are owed no more.

        One that the disk does not give back is passed over. Where the quarantine cannot be written no other is tried.

        Raises
        ------
        Transient
            If the database is away.
        """
        with self._store.unit() as unit:
            owed = unit.owed_copies()
        settled = 0
        for one in owed:
            try:
                self._settle(one)
            except StaleCase:  # a worker claimed a case meanwhile: nothing was committed
                continue
            except (Transient, Permanent) as error:
                self._tell(one, error)
                if isinstance(error, _OF_ONE):
                    continue
                break
            settled += 1
        return settled

    def _settle(self, one: OwedCopy) -> None:
        """Take in what can be read now; make the copy of what was judged before, or is damaged."""
        if one.ref.is_hidden:
            self._uncover(one)
            return
        record = self._spool.again(one.ref) if one.is_unread else None
        if record is not None:
            self._take_late(record)
            return
        copy_out(self._spool.head(one.ref), one.reason, self._spool, self._part10, self._quarantine)
        with self._store.unit() as unit:
            unit.settle_copy(one.ref)

    def _uncover(self, one: OwedCopy) -> None:
        """Owe the records that were hidden at a place, instead of the place. Raises as the spool does."""
        if one.until is None:  # nothing behind it was read: the indexer looks there itself
            raise Unreadable("the disk does not give back what lies there")
        found = self._spool.uncovered(one.ref, one.until)
        with self._store.unit() as unit:
            unit.alone()
            if unit.take_back(one.ref):
                for ref in found:
                    unit.owe_copy(ref, one.reason, one.since, is_unread=True)

    def _tell(self, one: OwedCopy, error: Exception) -> None:
        """Say once why a copy is still owed."""
        if (one.ref, str(error)) not in self._told:
            self._told.add((one.ref, str(error)))
            _log.error("quarantine_put_off", segment=one.ref.segment, offset=one.ref.offset, error=str(error))
