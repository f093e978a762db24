"""Where a failure of our own, or of a library's, ends: it costs one piece of work, and the others go on.

Nothing else catches whatever is raised. A connection is served so, an association, a tick, the reading of a record:
docs/adr/0011-boundaries.md says where, and what each does with the failure.
"""

from collections.abc import Callable
from typing import TypeVar

_Done = TypeVar("_Done")
_Instead = TypeVar("_Instead")


def contained(work: Callable[[], _Done], failed: Callable[[Exception], _Instead]) -> _Done | _Instead:
    """Do a piece of work; whatever it raises goes to `failed`, which may raise it again, and says what is done then.

    pynetdicom's loops raise all sorts of things at what a peer sends: requests without transfer syntaxes, a second
    request. A thread that ended so would leave its connection open, and the gate's would end the receiver.
    """
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - the one boundary: told of by `failed`, and the others go on
        return failed(error)
