"""One record that is too large, or cannot be read, does not hold up those behind it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.assemble.attempts import MOST_FAILURES
from agent.assemble.owed import Owed
from agent.core.errors import Permanent, Transient, Unreadable
from agent.core.instance import End, Instance
from agent.core.ports import Record, RecordKind
from agent.core.retention import OwedCopy
from agent.dicom.part10 import to_part10
from agent.record.quarantine import Quarantine
from tests.fakes.instances import IMPLICIT, encode, mammogram, meta_of
from tests.indexing import House

LARGE = mammogram("large", PixelData=bytes(20_000), Rows=100, Columns=100)


def _note(house: House) -> tuple[Path, dict[str, Any]]:
    (note,) = house.folder.glob("*.json")
    return note, json.loads(note.read_text())


def test_a_long_object_is_judged_as_any_other(house: House, tmp_path: Path) -> None:
    """It is collected, from a view of its file; so are those before and behind it."""
    house.spool.most_in_memory = 10_000
    house.send(mammogram("1"), LARGE, mammogram("2"))
    assert house.indexer.tick() == 3
    assert house.ends() == [End.COLLECTED] * 3
    with house.store.unit() as unit:
        stored = unit.find_instance(str(LARGE.SOPInstanceUID))
    assert stored is not None
    assert stored.instance.sha256 == hashlib.sha256(encode(LARGE)).hexdigest()
    in_memory = House(tmp_path / "other")
    in_memory.send(LARGE)
    in_memory.indexer.tick()
    with in_memory.store.unit() as unit:
        other = unit.find_instance(str(LARGE.SOPInstanceUID))
    assert other is not None and other.instance == stored.instance


def test_a_long_object_that_cannot_be_used_is_copied_out(house: House) -> None:
    """All of it."""
    house.spool.most_in_memory = 10_000
    house.spool.add(RecordKind.INSTANCE, meta_of(LARGE), encode(LARGE)[:-3])
    assert house.indexer.tick() == 1
    note, about = _note(house)
    assert about["reason"].startswith("truncated: ")
    assert note.with_suffix(".dcm").read_bytes().endswith(encode(LARGE)[:-3])


def test_a_long_object_is_not_decoded_to_be_compared(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another encoding a person decides: both would be in memory."""
    monkeypatch.setattr("agent.assemble.index.MOST_COMPARED_BYTES", 10_000)
    house.send(LARGE)
    house.indexer.tick()
    house.send_as(IMPLICIT, mammogram("large", PixelData=b"\1" * 20_000, Rows=100, Columns=100))
    house.send(mammogram("2"))
    assert house.indexer.tick() == 2
    assert house.ends()[1:] == [End.QUARANTINED, End.COLLECTED]
    assert house.arrivals()[1].reason.startswith("too large to be compared with what is known under its UID: ")


def _ticks(house: House, error: type[Exception], times: int) -> None:
    for _ in range(times):
        with pytest.raises(error):
            house.indexer.tick()


def _reads(house: House, header: Any) -> None:
    house.indexer._reading = replace(house.indexer._reading, header=header)


def _failing(house: House, error: Exception, *only: str) -> list[str]:
    """Let reading the named objects fail; return what is read."""
    right, seen = house.indexer._reading.header, list[str]()

    def header(record: Record) -> Instance:
        seen.append(record.meta["sop_instance_uid"])
        if record.meta["sop_instance_uid"] in only:
            raise error
        return right(record)

    _reads(house, header)
    return seen


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), ValueError("of whom it never says")])
def test_what_cannot_be_read_so_often_is_given_up(house: House, error: Exception) -> None:
    """It is copied out with its reason, which tells nothing of the object; then the others are taken in."""
    house.send(mammogram("1"), mammogram("bad"), mammogram("2"))
    seen = _failing(house, error, str(mammogram("bad").SOPInstanceUID))
    _ticks(house, type(error), MOST_FAILURES - 1)
    assert house.ends() == []
    assert house.indexer.tick() == 3
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.COLLECTED]
    assert house.arrivals()[1].reason == f"it could not be read: {type(error).__name__}, {MOST_FAILURES} times"
    note, _ = _note(house)
    assert note.with_suffix(".dcm").read_bytes().endswith(encode(mammogram("bad")))
    assert seen.count(str(mammogram("bad").SOPInstanceUID)) == MOST_FAILURES


def test_what_is_read_at_last_is_taken_in(house: House) -> None:
    """Memory that was short for a while costs nothing; a later failure is counted from the start."""
    house.send(mammogram("1"))
    right = house.indexer._reading.header
    _failing(house, MemoryError(), str(mammogram("1").SOPInstanceUID))
    _ticks(house, MemoryError, MOST_FAILURES - 1)
    _reads(house, right)
    assert house.indexer.tick() == 1
    assert house.ends() == [End.COLLECTED]
    assert not house.indexer._reads._failures


def _full(*_: object, **__: object) -> None:
    raise Transient("the quarantine folder cannot be written: No space left on device")


def _owed(house: House) -> Owed:
    return Owed(house.spool, house.store, to_part10, Quarantine(house.folder, 1 << 30), house.indexer.take_late)


def _are_owed(house: House) -> list[OwedCopy]:
    with house.store.unit() as unit:
        return list(unit.owed_copies())


def test_a_full_quarantine_holds_up_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Object and reason are noted, the copy is owed and its bytes stay; it is made once there is room."""
    bad = house.spool.add(RecordKind.INSTANCE, meta_of(mammogram("bad")), encode(mammogram("bad"))[:-3])
    house.send(mammogram("2"))
    with monkeypatch.context() as patch:
        patch.setattr("agent.record.quarantine.Quarantine.keep", _full)
        with capture_logs() as logs:
            assert house.indexer.tick() == 2
            assert house.ends() == [End.QUARANTINED, End.COLLECTED]
            reason = house.arrivals()[0].reason
            assert _are_owed(house) == [OwedCopy(bad, reason, house.clock())]
            owed = _owed(house)
            assert [owed.tick() for _ in range(3)] == [0, 0, 0]
    assert [one["event"] for one in logs].count("quarantine_put_off") == 2  # at first, and by who tries again
    assert owed.tick() == 1
    assert _are_owed(house) == []
    note, about = _note(house)
    assert about["reason"] == reason
    assert note.with_suffix(".dcm").read_bytes().endswith(encode(mammogram("bad"))[:-3])
    assert house.indexer.tick() == owed.tick() == 0


def test_what_the_disk_does_not_give_back_holds_up_its_own_segment_and_not_for_long(house: House) -> None:
    """The others go on at once, what came behind it in its segment after some seconds; its bytes stay there."""
    house.send(mammogram("1"))
    bad = house.spool.add(RecordKind.INSTANCE, meta_of(mammogram("bad")), encode(mammogram("bad")))
    house.send(mammogram("2"))
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram("3")), encode(mammogram("3")), segment=2)
    house.spool.bad.add(bad)
    assert house.indexer.tick() == 2
    assert [one.sop_instance_uid for one in house.arrivals()] == [mammogram(n).SOPInstanceUID for n in ("1", "3")]
    assert [house.indexer.tick() for _ in range(MOST_FAILURES - 2)] == [0] * (MOST_FAILURES - 2)
    with capture_logs() as logs:
        assert house.indexer.tick() == 2
    told = [one["event"] for one in logs]
    assert told == ["spool_record_given_up", "instance_quarantined"]
    given_up = house.arrivals()[1]
    assert (given_up.sop_instance_uid, given_up.end) == (mammogram("bad").SOPInstanceUID, End.QUARANTINED)
    assert given_up.reason == f"it could not be read: Unreadable, {MOST_FAILURES} times"
    assert [one.ref for one in _are_owed(house)] == [bad]
    with house.store.unit() as unit:
        assert any(one.ref == bad and one.awaits_copy for one in unit.residents(bad.segment, bad.generation))


def test_a_disk_that_gives_back_in_time_costs_nothing(house: House) -> None:
    """The object is collected as ever."""
    house.send(mammogram("1"))
    (ref,) = (record.ref for record in house.spool.after({}))
    house.spool.bad.add(ref)
    for _ in range(MOST_FAILURES - 1):
        assert house.indexer.tick() == 0
    house.spool.bad.clear()
    assert house.indexer.tick() == 1
    assert (house.ends(), _are_owed(house)) == ([End.COLLECTED], [])


def test_a_copy_that_can_never_be_made_leaves_the_reason(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The arrival says what was wrong with the object; the others go on."""
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram("bad")), encode(mammogram("bad"))[:-3])
    house.send(mammogram("2"))

    def broken(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr("agent.record.quarantine.Quarantine.keep", broken)
    _ticks(house, ValueError, MOST_FAILURES - 1)
    assert house.indexer.tick() == 2
    assert house.ends() == [End.QUARANTINED, End.COLLECTED]
    assert house.arrivals()[0].reason.startswith("truncated: ")


@pytest.mark.parametrize("error", [Permanent, Unreadable])
def test_an_object_that_cannot_be_compared_is_kept_for_a_person(house: House, error: type[Exception]) -> None:
    """The known one under its UID cannot be read any more: the new one is copied out, and the rest goes on."""
    house.send(mammogram("1"))
    house.indexer.tick()
    house.send_as(IMPLICIT, mammogram("1", PixelData=b"\7\0" * 4))  # another encoding: only decoding tells
    house.send(mammogram("2"))
    known = house.arrivals()[0].ref
    house.spool.lose(known) if error is Permanent else house.spool.bad.add(known)
    _ticks(house, error, MOST_FAILURES - 1)
    house.indexer.tick()
    assert house.ends()[1:] == [End.QUARANTINED, End.COLLECTED]
    assert len(list(house.folder.glob("*.dcm"))) == 1
