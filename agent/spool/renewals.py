"""Released segments, used anew."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

import structlog

from agent.spool.errors import translated
from agent.spool.maker import SegmentMaker
from agent.spool.open_segment import OpenSegment
from agent.spool.room import Room
from agent.spool.segment import DATA_START, Identity

REFUSED_S: Final = 60.0
"""So long one that the disk refused is left alone."""

_log = structlog.get_logger()


class Renewals:
    """Finds released segments and begins their next use. Not for two threads at once.

    Parameters
    ----------
    clock
        Seconds that only grow.
    """

    def __init__(self, maker: SegmentMaker, room: Room, clock: Callable[[], float]) -> None:
        self._maker = maker
        self._room = room
        self._clock = clock
        self._refused: dict[int, tuple[Identity, float]] = {}  # by number; what it may be now, and until when

    def take(self, record_bytes: int, most_bytes: int | None = None) -> OpenSegment | None:
        """Use the smallest released segment that has the room and takes no more than that. Raises OSError."""
        for identity in sorted(self._released(), key=lambda identity: identity.size):
            if identity.size - DATA_START < record_bytes:
                continue
            if most_bytes is not None and identity.size > most_bytes:
                return None
            segment = self._renewed(identity)
            if segment is not None:
                return segment
        return None

    def _released(self) -> Collection[Identity]:
        """Return what may be tried. Raises OSError."""
        found = {identity.number: identity for identity in self._room.released()}
        for number, (identity, until) in self._refused.items():
            if self._clock() < until:
                found.pop(number, None)
            else:
                found[number] = identity
        return found.values()

    def _renewed(self, identity: Identity) -> OpenSegment | None:
        """Begin the next use; None if the disk refuses.

        Nobody knows then which of both uses it holds. So a later try writes all of it again, as the use behind both.
        """
        try:
            segment = self._maker.renew(identity)
        except FileNotFoundError:  # removed since it was refused
            self._refused.pop(identity.number, None)
            return None
        except OSError as error:
            unsure = replace(identity, generation=identity.generation + 1)
            self._refused[identity.number] = (unsure, self._clock() + REFUSED_S)
            _log.error("spool_segment_not_renewed", segment=identity.number, reason=str(translated(error)))
            return None
        self._refused.pop(identity.number, None)
        self._room.forget(identity)
        return segment
