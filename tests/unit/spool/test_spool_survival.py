"""Any sequence of what a receiver does, with kills and power losses in between: nothing acknowledged is lost."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import Channel, Draft, SpoolFull, SpoolReader, SpoolWriter, open_segment, recovery, release, segments
from tests.fakes.disks import Dead, FailingDisk, VolatileDisk
from tests.fakes.spool import NOW

KINDS = st.sampled_from([RecordKind.INSTANCE, RecordKind.HL7])
SIZES = st.one_of(st.integers(0, 200), st.integers(0, 6000), st.integers(0, 50_000))
SEARCH = 4096


class SpoolMachine(RuleBasedStateMachine):
    """One spool, what must be in it, and what may be."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(open_segment, "SEARCH_BYTES", SEARCH)  # so that the bound is met in small segments
        self.patch.setattr(recovery, "SEARCH_BYTES", SEARCH)
        self.root = Path(tempfile.mkdtemp())
        self.runs = itertools.count()
        self.numbers = itertools.count()
        self.folder = self.root / "spool-0"
        self.must: dict[int, tuple[SpoolRef, bytes]] = {}
        self.may: dict[int, bytes] = {}
        self.drafts: dict[int, tuple[Draft, int, bytes]] = {}
        self.channels: list[Channel] = []
        self.writer: SpoolWriter | None = None

    @initialize()
    def start(self) -> None:
        """Open the spool, on a disk that is watched."""
        self.folder.mkdir(exist_ok=True)
        self.volatile = VolatileDisk(self.folder)
        self.volatile.adopt()
        self.failing = FailingDisk(self.volatile.disk)
        self.writer = SpoolWriter(
            self.folder,
            limit_bytes=400_000,
            refuse_below_free_bytes=0,
            segment_bytes=32_768,
            keep_spare=False,
            now=lambda: NOW,
            disk=self.failing.disk,
        )
        self.channels = [self.writer.channel() for _ in range(2)]

    def teardown(self) -> None:
        """Leave nothing behind, also where the example ended while a death was due."""
        if self.writer is not None:
            self.failing.work()
        self.close()
        self.patch.undo()
        shutil.rmtree(self.root)

    def close(self) -> None:
        """End the writer that there is."""
        for channel in self.channels:
            channel.close()
        if self.writer is not None:
            self.writer.close()
        self.drafts.clear()

    def payload(self, number: int, size: int) -> bytes:
        """Return bytes that no other record has."""
        return number.to_bytes(4, "big") + Random(number).randbytes(size)

    def store(self, number: int, payload: bytes, act: Callable[[], SpoolRef]) -> None:
        """Do what commits a record; remember what came of it."""
        self.may[number] = payload
        try:
            ref = act()
        except SpoolFull:
            del self.may[number]
            return
        self.must[number] = (ref, self.may.pop(number))

    @rule(which=st.integers(0, 1), kind=KINDS, size=SIZES)
    def append(self, which: int, kind: RecordKind, size: int) -> None:
        """Append a record whose length is known."""
        number = next(self.numbers)
        payload = self.payload(number, size)
        self.drafts.pop(which, None)
        self.store(number, payload, lambda: self.channels[which].append(kind, {"n": str(number)}, payload))

    @rule(which=st.integers(0, 1), kind=KINDS, sizes=st.lists(SIZES, min_size=1, max_size=4))
    def stream(self, which: int, kind: RecordKind, sizes: list[int]) -> None:
        """Begin, write and commit one in parts."""
        number = next(self.numbers)
        parts = [self.payload(number, size) for size in sizes]
        self.drafts.pop(which, None)

        def act() -> SpoolRef:
            draft = self.channels[which].begin(kind, {"n": str(number)})
            for part in parts[:-1]:
                draft.write([part])
            return draft.commit(parts[-1:])

        self.store(number, b"".join(parts), act)

    @rule(which=st.integers(0, 1), kind=KINDS)
    def begin(self, which: int, kind: RecordKind) -> None:
        """Begin one whose length is not."""
        number = next(self.numbers)
        self.drafts[which] = (self.channels[which].begin(kind, {"n": str(number)}), number, b"")

    @precondition(lambda self: self.drafts)
    @rule(data=st.data(), size=SIZES)
    def write(self, data: st.DataObject, size: int) -> None:
        """Write a part of it, in two buffers."""
        which = data.draw(st.sampled_from(sorted(self.drafts)))
        draft, number, before = self.drafts.pop(which)
        part = self.payload(number, size)
        try:
            draft.write([memoryview(part)[:3], memoryview(part)[3:]])
        except SpoolFull:
            return
        self.drafts[which] = (draft, number, before + part)

    @precondition(lambda self: self.drafts)
    @rule(data=st.data(), size=SIZES)
    def commit(self, data: st.DataObject, size: int) -> None:
        """Write the rest of it."""
        draft, number, before = self.drafts.pop(data.draw(st.sampled_from(sorted(self.drafts))))
        part = self.payload(number, size)
        self.store(number, before + part, lambda: draft.commit([part]))

    @precondition(lambda self: self.drafts)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        """The sender went away."""
        draft, _, _ = self.drafts.pop(data.draw(st.sampled_from(sorted(self.drafts))))
        draft.abandon()

    @rule(which=st.integers(0, 1))
    def change(self, which: int) -> None:
        """An association ends and another begins."""
        assert self.writer is not None
        self.drafts.pop(which, None)
        self.channels[which].close()
        self.channels[which] = self.writer.channel()

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Nothing of a closed segment is needed any more."""
        closed = [state for state in segments(self.folder) if state.is_closed]
        for state in closed:
            if data.draw(st.booleans()):
                for number, (ref, payload) in list(self.must.items()):
                    if (ref.segment, ref.generation) == (state.number, state.generation):
                        self.may[number] = payload
                        del self.must[number]
                assert release(self.folder, state.number, state.generation, self.failing.disk)

    @rule()
    def reopen(self) -> None:
        """Stop and start."""
        self.close()
        self.start()

    @rule(calls=st.integers(1, 12), loses_power=st.booleans(), data=st.data())
    def die(self, calls: int, *, loses_power: bool, data: st.DataObject) -> None:
        """Die at some call to the disk, while something is being stored; start from what is left."""
        self.failing.fail("any", calls, Dead())
        step = data.draw(st.sampled_from([self.append, self.stream, self.stream, self.change, self.release]))
        arguments: dict[Any, Any] = {
            self.append: {"which": 0, "kind": RecordKind.INSTANCE, "size": data.draw(SIZES)},
            self.stream: {"which": 1, "kind": RecordKind.INSTANCE, "sizes": data.draw(st.lists(SIZES, min_size=1))},
            self.change: {"which": 1},
            self.release: {"data": data},
        }[step]
        with suppress(Dead):
            step(**arguments)
        self.failing.work()
        left = self.root / f"spool-{next(self.runs) + 1}"
        if loses_power:
            left.mkdir()
            chance = Random(data.draw(st.integers(0, 1 << 30)))
            self.volatile.after_power_loss(left, lambda most: chance.choice([0, most, chance.randint(0, most)]))
        else:
            shutil.copytree(self.folder, left)
        self.close()
        self.folder = left
        self.start()

    @invariant()
    def nothing_is_lost_and_nothing_is_invented(self) -> None:
        """Every acknowledged record is shown, once; nothing else, but what died on its way or was released."""
        if self.writer is None:
            return
        reader = SpoolReader(self.folder)
        shown: dict[int, bytes] = {}
        sequences = []
        for record in reader.after({}):
            number = int(record.meta["n"])
            assert number not in shown
            shown[number] = record.payload
            sequences.append(record.sequence)
            assert reader.read(record.ref) == record
        assert sequences == sorted(set(sequences))
        for number, (_, payload) in self.must.items():
            assert shown.pop(number) == payload
        assert all(self.may[number] == payload for number, payload in shown.items())


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
