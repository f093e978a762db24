"""A sender that keeps what was not acknowledged and tries again, as modalities do."""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
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
    """Open an association for storage, reports and echoes."""
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
    first: RawAssociation | None,
    open_one: Callable[[], RawAssociation],
    wanted: Sequence[Thing],
    ledger: Ledger,
    is_alive: Callable[[], bool],
) -> bool:
    """Store until everything is acknowledged, over as many associations as it takes, `first` before others.

    Returns
    -------
    False if the receiver died, or did not receive everything in time.
    """
    left, deadline = deque(wanted), time.monotonic() + PATIENCE_S
    while left and is_alive() and time.monotonic() < deadline:
        with suppress(AssociationAborted, AssociationRejected, OSError), first or open_one() as association:
            first = None
            while left and time.monotonic() < deadline:
                if store(association, left[0], ledger):
                    left.popleft()
                else:  # on the same one: strace would let the n-th call of a new thread fail again
                    time.sleep(_AGAIN_S)
        if left:
            time.sleep(_AGAIN_S)
        first = None
    return not left
