"""Power losses: a receiver takes objects over sockets, and at every call that it made the disk is rebuilt and read.

The receiver runs in this process, so that its calls and what the sender is told stand in one order.
"""

import errno
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import uuid4

from agent.receive import Receiver
from agent.spool import Disk, SpoolFailed, SpoolFull, SpoolWriter
from tests.faults.receive.events import Acknowledged, GivenUp
from tests.faults.receive.ledger import SEGMENT_BYTES, Broken, Ledger, Taken, check
from tests.faults.receive.sending import LARGE, Thing, associate, associate_for_storage, store, things
from tests.faults.receive.used_anew import came_into, release_closed
from tests.faults.receive.volatile import CALLS, MODES, LoggingDisk, Remains
from tests.receivers import SETTINGS
from tests.senders import AssociationAborted, RawAssociation

Tell = Callable[[str, Broken], None]
_APART = 1_000_000  # of seeds: their objects have other UIDs
ERRORS = (errno.EIO, errno.ENOSPC)
Plant = Callable[[Disk], Disk]
FULL_SIZES = (100_000,) * 4  # one a segment
SIZES = (700, 21_000, 4_096, LARGE, 60_000, 2_048, 90_000, 300, 40_000, 8_150)


class Scene:
    """One receiver on a new folder, and what it was sent: over two associations by turns, one of each way.

    It receives some, and is started again; then a keeper releases what is full, and the rest comes into it.

    Parameters
    ----------
    folder
        Made for it.
    seed
        Of the objects.
    plant
        Puts a defect between the receiver and its disk.
    """

    def __init__(self, folder: Path, seed: int, plant: Plant | None = None) -> None:
        folder.mkdir(parents=True)
        self.ledger = Ledger()
        self.log = LoggingDisk(folder)
        self._folder = folder
        self._disk = plant(self.log.disk) if plant else self.log.disk
        self._old = things(seed + _APART, FULL_SIZES)
        self._things = things(seed, [*FULL_SIZES, *random.Random(seed).sample(SIZES, len(SIZES))])
        self._released: set[int] = set()

    def play(self) -> None:
        """Send everything, once again what was refused, and end. One that does not come up is started again."""
        try:
            self._play()
        except (SpoolFull, SpoolFailed):
            self._play()

    def _play(self) -> None:
        with self._receiving() as port:
            self._send_all(port, self._old)
        with self._receiving() as port:
            self._released |= release_closed(self._folder, self.ledger, self._disk, self._note)
            self._send_all(port, self._things)

    def _note(self, taken: Taken, keys: set[str]) -> None:
        self.log.note(GivenUp(taken, frozenset(keys)))

    def has_used_anew(self) -> bool:
        """Whether anything came into a segment that was released."""
        return came_into(self._folder, self._released, {thing.key for thing in self._things})

    def _send_all(self, port: int, wanted: Sequence[Thing]) -> None:
        opens = (associate_for_storage, associate)
        left = [self._send(port, open_one, wanted[turn::2]) for turn, open_one in enumerate(opens)]
        for open_one, refused in zip(opens, left, strict=True):
            self._send(port, open_one, refused)

    def _send(self, port: int, open_one: Callable[[int], RawAssociation], wanted: Iterable[Thing]) -> list[Thing]:
        refused = list(wanted)
        with suppress(AssociationAborted, OSError), open_one(port) as association:
            for thing in list(refused):
                if store(association, thing, self.ledger):
                    self.log.note(Acknowledged(thing.key))
                    refused.remove(thing)
        return refused

    @contextmanager
    def _receiving(self) -> Iterator[int]:
        writer = SpoolWriter(
            self._folder,
            limit_bytes=1 << 30,
            refuse_below_free_bytes=0,
            segment_bytes=SEGMENT_BYTES,
            now=lambda: datetime.now(UTC),
            disk=self._disk,
        )
        receiver = Receiver(SETTINGS, writer, uuid4)
        receiver.start()
        try:
            yield receiver.port
        finally:
            receiver.stop(5)
            writer.close()


def lose_power(place: Path, seed: int, tell: Tell, *, every: int = 1, plant: Plant | None = None) -> None:
    """Let one receiver take objects; lose power at every n-th place, and leave of what was not synced what may be."""
    scene = Scene(place / "spool", seed, plant)
    scene.play()
    assert scene.has_used_anew(), "no segment was used anew"
    remains, chance = Remains(), random.Random(seed)
    cuts = ((number, mode) for number in range(1, len(scene.log.events) + 1) for mode in MODES)
    seen = 0
    for number, mode in islice(cuts, None, None, every):
        for event in scene.log.events[seen:number]:
            remains.add(event)
        seen = number
        _judge(place, remains, scene, mode, chance, f"event {number}, seed {seed}", tell)
    shutil.rmtree(place / "spool")


def fail_calls(
    place: Path, seed: int, tell: Tell, *, calls: Sequence[str] = CALLS, every: int = 1, plant: Plant | None = None
) -> None:
    """Let the n-th call of each kind fail, for n = 1 until none does; then lose power, with each that may be left."""
    for call in calls:
        for error in ERRORS:
            number, has_failed = 1, True
            while has_failed:
                scene = Scene(place / "spool", seed, plant)
                scene.log.fail(call, number, error)
                scene.play()
                has_failed = scene.log.has_failed
                remains, chance = Remains(), random.Random(seed)
                for event in scene.log.events:
                    remains.add(event)
                for mode in MODES[: 3 if has_failed else 0]:
                    what = f"{errno.errorcode[error]} at {call} {number}, then power, seed {seed}"
                    _judge(place, remains, scene, mode, chance, what, tell)
                shutil.rmtree(place / "spool")
                number += every


def _judge(
    place: Path, remains: Remains, scene: Scene, mode: str, chance: random.Random, what: str, tell: Tell
) -> None:
    left = place / "left"
    left.mkdir()
    remains.leave(left, mode, chance)
    tell(
        f"power lost at {what}, left: {mode}",
        check(left, Ledger(scene.ledger.sent, remains.acknowledged, remains.taken)),
    )
    shutil.rmtree(left)
