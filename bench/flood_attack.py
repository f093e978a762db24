"""Associations that do what costs the receiver most: PDUs full of fragments with next to nothing in them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from tests.pdus import pdu, pdv, store_rq
from tests.senders import AssociationAborted, AssociationRejected, RawAssociation

_PDU_BYTES: Final = 131072
_BEGUN: Final = pdu(pdv(1, 3, store_rq()))
_FRAGMENTS: Final = {"empty": pdv(1, 0, b""), "a byte": pdv(1, 0, b"x"), "of a command": pdv(1, 1, b"")}


@contextmanager
def attacking(associate: Callable[[], RawAssociation], count: int) -> Iterator[None]:
    """Keep so many associations sending fragments of each sort; who is aborted comes again.

    Parameters
    ----------
    associate
        Opens one; its first context is for storage. Raises as `RawAssociation` does.
    count
        How many at once.
    """
    is_over = threading.Event()

    def attack(fragment: bytes, begun: bytes) -> None:
        full = pdu(fragment * (_PDU_BYTES // len(fragment)))
        while not is_over.is_set():
            with ExitStack() as stack, suppress(AssociationRejected, AssociationAborted, OSError):
                connection = associate().socket
                stack.callback(connection.close)
                connection.sendall(begun)
                while not is_over.is_set():
                    connection.sendall(full)

    sorts = [(fragment, b"" if sort == "of a command" else _BEGUN) for sort, fragment in _FRAGMENTS.items()]
    threads = [threading.Thread(target=attack, args=sorts[number % len(sorts)]) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@contextmanager
def reconnecting(connect: Callable[[ExitStack], object]) -> Iterator[None]:
    """Keep opening connections that say nothing, up to a thousand a second: who is dropped comes again."""
    is_over = threading.Event()

    def again() -> None:
        with ExitStack() as stack:
            for _ in range(5000):
                if is_over.is_set():
                    return
                with suppress(OSError):
                    connect(stack)
                time.sleep(0.001)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
