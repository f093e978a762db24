"""Where a failure of our own, or of a library's, ends: it costs one association or connection, and the others go on."""

from collections.abc import Callable


def contained(work: Callable[[], None], failed: Callable[[Exception], None]) -> None:
    """Do a piece of work that belongs to one peer; whatever it raises goes to `failed`, and no further.

    pynetdicom's loops raise all sorts of things at what a peer sends: requests without transfer syntaxes, a second
    request. A thread that ended so would leave its connection open, and the gate's would end the receiver.
    """
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the association loop: the others go on
        failed(error)
