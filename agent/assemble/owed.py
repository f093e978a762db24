"""Copies for the quarantine that could not be made when they were due: its disk was full, say."""

from collections.abc import Callable
from typing import Final

import structlog

from agent.assemble.copying import Quarantine, copy_out
from agent.core.errors import Permanent, Transient, Unreadable
from agent.core.instance import SpoolRef
from agent.core.ports import Record, SpoolSource, Store
from agent.core.retention import OwedCopy

_log = structlog.get_logger()
_OF_ONE: Final = (Unreadable, Permanent)


class Owed:
    """Makes the copies that are owed. Until then retention leaves their records where they lie.

    Parameters
    ----------
    part10
        Makes a DICOM file of a record.
    """

    def __init__(
        self, spool: SpoolSource, store: Store, part10: Callable[[Record], bytes], quarantine: Quarantine
    ) -> None:
        self._spool = spool
        self._store = store
        self._part10 = part10
        self._quarantine = quarantine
        self._told: set[tuple[SpoolRef, str]] = set()

    def tick(self) -> int:
        """Try each, the longest owed first, and return how many were made.

        One that the disk does not give back is passed over. Where the quarantine cannot be written no other is tried.

        Raises
        ------
        Transient
            If the database is away.
        """
        with self._store.unit() as unit:
            owed = unit.owed_copies()
        made = 0
        for one in owed:
            try:
                copy_out(self._spool.head(one.ref), one.reason, self._spool, self._part10, self._quarantine)
            except (Transient, Permanent) as error:
                self._tell(one, error)
                if isinstance(error, _OF_ONE):
                    continue
                break
            with self._store.unit() as unit:
                unit.settle_copy(one.ref)
            made += 1
        return made

    def _tell(self, one: OwedCopy, error: Exception) -> None:
        """Say once why a copy is still owed."""
        if (one.ref, str(error)) not in self._told:
            self._told.add((one.ref, str(error)))
            _log.error("quarantine_put_off", segment=one.ref.segment, offset=one.ref.offset, error=str(error))
