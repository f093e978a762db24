"""A sender that keeps what was not acknowledged and tries again, as modalities do."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults.receive.ledger import Ledger, key
from tests.receivers import COMMITMENT, EVERYTHING, SC, SUCCESS
from tests.senders import AssociationAborted, AssociationRejected, RawAssociation

HOST = "127.0.0.1"
PATIENCE_S = 30.0  # so soon it must be receiving again
LARGE = 1_250_000  # more than is held in memory: written in parts
_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class Thing:
    """An object to send."""

    uid: str
    payload: bytes

    @property
    def key(self) -> str:
        """Its key in the ledger."""
        return key(self.uid, self.payload)


def things(seed: int, sizes: Sequence[int]) -> list[Thing]:
    """Return objects of so many bytes, unlike all others."""
    chance = random.Random(seed)
    return [Thing(f"2.25.{seed}.{n}", chance.randbytes(size)) for n, size in enumerate(sizes, 1)]


def associate(port: int) -> RawAssociation:
    """Open an association for storage, reports and echoes: it goes pynetdicom's way."""
    return RawAssociation(HOST, port, calling="SENDER", called="SENTINODE", contexts=EVERYTHING, timeout_s=PATIENCE_S)


def associate_for_storage(port: int) -> RawAssociation:
    """Open an association for storage and echoes alone: it goes through the data loop."""
    contexts = [one for one in EVERYTHING if one[0] != COMMITMENT]
    return RawAssociation(HOST, port, calling="SENDER", called="SENTINODE", contexts=contexts, timeout_s=PATIENCE_S)


def store(association: RawAssociation, thing: Thing, ledger: Ledger) -> bool:
    """C-STORE; tell whether it was acknowledged. Raises AssociationAborted, OSError."""
    ledger.sent.add(thing.key)
    if association.store(1, SC, thing.uid, thing.payload) != SUCCESS:
        return False
    ledger.acknowledged.add(thing.key)
    return True


def store_all(
    opened: Iterator[RawAssociation] | None,
    open_one: Callable[[], RawAssociation],
    wanted: Sequence[Thing],
    ledger: Ledger,
    is_alive: Callable[[], bool],
) -> bool:
    """Store until everything is acknowledged, over as many associations as it takes.

    Returns
    -------
    False if the receiver died, or did not receive everything in time.
    """
    left, deadline = list(wanted), time.monotonic() + PATIENCE_S
    while left and is_alive() and time.monotonic() < deadline:
        try:
            with (next(opened) if opened else None) or open_one() as association:
                opened = None
                while left:
                    if store(association, left[0], ledger):
                        del left[0]
                    elif not is_alive() or time.monotonic() >= deadline:
                        break
                    else:
                        time.sleep(_AGAIN_S)
        except (AssociationAborted, AssociationRejected, OSError):
            opened = None
            time.sleep(_AGAIN_S)
    return not left
