"""A spool whose segments are used anew, a store, and retention between them; images whose bytes name them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from agent.assemble.retention import Retention
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind, Store, Unit
from agent.core.ports_retention import SpoolKeeper
from agent.spool import KeptSpool, SpoolReader, SpoolWriter, segment_bytes_of, set_aside
from tests.clock import Clock
from tests.fakes.keeper_spool import FakeKeeperSpool
from tests.state_stores import QUESTION, instance

EPISODE = timedelta(days=120)
ON_DISK_BYTES = 1 << 20
DONE = (CaseEvent.COMPLETE, CaseEvent.CLAIMED, CaseEvent.RESULT_SAVED, CaseEvent.ALL_CONFIRMED)
FAILED = (*DONE[:2], CaseEvent.GAVE_UP)


class Receiving(Protocol):
    """What plays the receiver, and reads again."""

    def receive(self, payload: bytes) -> SpoolRef:
        """Append. Raises Transient if there is no room."""

    def read(self, ref: SpoolRef) -> bytes:
        """Return the payload again. Raises Permanent."""

    @property
    def used_bytes(self) -> int:
        """What all segments take."""


class RealSpool:
    """The receiver's writer as the agent sets it up, and the reader."""

    def __init__(self, folder: Path, limit_bytes: int, now: Any) -> None:
        self._folder = folder
        self._writer = SpoolWriter(
            folder,
            limit_bytes=limit_bytes,
            beside=lambda: set_aside(folder, limit_bytes),
            refuse_below_free_bytes=0,
            segment_bytes=segment_bytes_of(limit_bytes),
            keep_spare=False,
            now=now,
        )
        self._channel = self._writer.channel()
        self._reader = SpoolReader(folder)

    def receive(self, payload: bytes) -> SpoolRef:
        """Append."""
        return self._channel.append(RecordKind.INSTANCE, {}, payload)

    def read(self, ref: SpoolRef) -> bytes:
        """Return the payload again."""
        return self._reader.read(ref).payload

    @property
    def used_bytes(self) -> int:
        """What all segments take."""
        return sum(path.stat().st_size for path in self._folder.rglob("segment-*.spool*") if path.is_file())

    def close(self) -> None:
        """Give the folder up."""
        self._channel.close()
        self._writer.close()


@dataclass
class World:
    """Receives images of cases, and moves these."""

    store: Store
    spool: Receiving
    keeper: SpoolKeeper
    clock: Clock = field(default_factory=Clock)
    sent: int = 0

    def __post_init__(self) -> None:
        self.retention = Retention(self.store, self.keeper, episode=EPISODE, now=self.clock)

    def open(self) -> Case:
        """Open a case of another patient."""
        self.sent += 1
        with self.store.unit() as unit:
            return unit.open_case(
                QUESTION, PatientKey("PHANTOM", str(self.sent)), self.clock(), UUID(int=10_000 + self.sent)
            )

    def send(self, case: Case | None, length: int) -> str:
        """Receive and index an image, of a case or of none; return its UID."""
        self.sent += 1
        uid = f"1.2.{self.sent}"
        return self.send_again(case, uid, length)

    def send_again(self, case: Case | None, uid: str, length: int) -> str:
        """Receive an image under a UID."""
        ref = self.spool.receive(payload_of(uid, length))
        end = End.NOT_RELEVANT if case is None else End.COLLECTED
        came = Arrival(ref, self.clock(), "run/1", uid, end, "")
        with self.store.unit() as unit:
            unit.advance(ref)
            if case is None:
                unit.arrived(came)
            else:
                header = replace(instance(uid, case.patient), sha256=uid)
                unit.add_instance(unit.case(case.id), header, came, self.clock())
        return uid

    def apply(self, case: Case, *events: CaseEvent) -> Case:
        """Let things happen to a case."""
        with self.store.unit() as unit:
            case = unit.case(case.id)
            for event in events:
                case = unit.apply(case, event, self.clock(), due_at=self.clock())
            return case

    def finish(self, images: int, length: int, *events: CaseEvent) -> Case:
        """Send a case with so many images and bring it to its end."""
        case = self.open()
        for _ in range(images):
            self.send(case, length)
        self.retention.tick()
        return self.apply(case, *(events or DONE))

    def settle(self, most: int = 50) -> int:
        """Tick until nothing is released for three rounds; return how many segments were."""
        released = idle = 0
        for _ in range(most):
            now = self.retention.tick()
            released, idle = released + now, 0 if now else idle + 1
            if idle == 6:
                break
        return released

    def state(self, case: Case) -> CaseState:
        """Return how a case stands."""
        with self.store.unit() as unit:
            return unit.case(case.id).state

    def lost(self, cases: Sequence[Case]) -> list[str]:
        """Return the images of cases whose bytes are not there as they came."""
        with self.store.unit() as unit:
            stored = [one for case in cases for one in unit.instances(case.id)]
        return [one.instance.sop_instance_uid for one in stored if not self._is_whole(one.ref, one.instance.sha256)]

    def _is_whole(self, ref: SpoolRef, uid: str) -> bool:
        try:
            payload = self.spool.read(ref)
        except Permanent:
            return False
        assert payload.startswith(uid.encode() + b"\n"), "another record's bytes"
        return True


def payload_of(uid: str, length: int) -> bytes:
    """Return bytes that say whose they are."""
    return (uid.encode() + b"\n").ljust(length, b".")


def in_memory(store: Store, limit_bytes: int = 3200_000) -> World:
    """Return a world without a disk, with 32 segments."""
    spool = FakeKeeperSpool(limit_bytes, limit_bytes // 32)
    return World(store, spool, spool)


@contextmanager
def on_disk(store: Store, folder: Path, limit_bytes: int = ON_DISK_BYTES) -> Iterator[World]:
    """Give a world on a disk."""
    clock = Clock()
    spool, keeper = RealSpool(folder, limit_bytes, clock), KeptSpool(folder, limit_bytes=limit_bytes, now=clock)
    try:
        yield World(store, spool, keeper, clock)
    finally:
        keeper.close()
        spool.close()


def places(unit: Unit, case: Case) -> list[SpoolRef]:
    """Return where the images of a case lie."""
    return [one.ref for one in unit.instances(case.id)]
