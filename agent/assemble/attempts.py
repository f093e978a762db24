"""What must not hold up the records behind it: a record that cannot be read, however often that is tried."""

from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from agent.core.boundary import contained
from agent.core.errors import Rejected, Transient, Unreadable
from agent.core.instance import SpoolRef

MOST_FAILURES: Final = 20
"""So often a record is tried: with a tick each quarter of a second, five seconds at least."""

_Done = TypeVar("_Done")

_log = structlog.get_logger()


class Attempts:
    """Counts what failed, by record. What was begun anew counts anew."""

    def __init__(self) -> None:
        self._failures: Counter[SpoolRef] = Counter()

    def run(self, ref: SpoolRef, do: Callable[[], _Done]) -> _Done | Rejected:
        """Do what reads a record; return why it is given up where that fails for good, or too often.

        It must ask nobody who may be away, such as a database, else a sound object would be given up with it.

        Raises
        ------
        Transient
            If that is what `do` raises, however often; Unreadable the first times.
        Exception
            Whatever else `do` raises, the first times.
        """
        done = contained(do, lambda error: self._failed(ref, error))
        self._failures.pop(ref, None)
        return done

    def _failed(self, ref: SpoolRef, error: Exception) -> Rejected:
        """Return why a record is given up; raise the error as long as it is not."""
        if isinstance(error, Rejected):
            return error
        if isinstance(error, Transient) and not isinstance(error, Unreadable):
            raise error
        self._failures[ref] += 1
        if self._failures[ref] < MOST_FAILURES:
            raise error
        what = type(error).__name__
        _log.error("spool_record_given_up", segment=ref.segment, offset=ref.offset, error=what)
        return Rejected(f"it could not be read: {what}, {self._failures[ref]} times")
