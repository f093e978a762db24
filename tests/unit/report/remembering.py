"""A composer for tests that look at the same result: making its objects takes a third of a second and more."""

import pickle
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO

from agent.core.result import Result, ResultObject, SourceImage
from agent.report.compose import Composer, Note

ROOM = 160_000_000  # bytes: a few scenes of several pictures, or dozens of small ones

_made: dict[bytes, tuple[ResultObject, ...]] = {}


class Remembering(Composer):
    """Makes the objects of a result once; they are frozen and encoded, so no test can change another one's.

    A test of making itself, again or with something exchanged, takes a `Composer`.
    """

    def __call__(
        self, result: Result, sources: Sequence[SourceImage], note: Note | None = None
    ) -> tuple[ResultObject, ...]:
        """Return what a composer makes of this input, by its content; what is refused, or noted, is made each time."""
        if note is not None:
            return super().__call__(result, sources, note)
        key = _digest((vars(self), result, tuple(sources)))
        made = _made.pop(key, None)
        if made is None:
            made = super().__call__(result, sources)
        _made[key] = made  # last: what was asked for longest ago goes first
        while len(_made) > 1 and sum(len(o.encoded) for objects in _made.values() for o in objects) > ROOM:
            del _made[next(iter(_made))]
        return made


def _digest(given: object) -> bytes:
    """Return the same for equal values, whichever objects they are."""
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer)
    pickler.fast = True  # writes what occurs twice twice
    pickler.dump(given)
    return sha256(buffer.getbuffer()).digest()
