"""What is kept out of a case is copied out first, whole and once."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agent.core.instance import End
from agent.core.ports import RecordKind
from agent.record.quarantine import Quarantine
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.fakes.store import FakeUnit
from tests.indexing import House


def test_other_bytes_under_a_known_uid_are_kept_out(house: House) -> None:
    """A conflict is copied out with its reason; the first object stays."""
    house.send(mammogram(), mammogram(PixelData=b"\7\0" * 4))
    house.indexer.tick()
    reason = "conflict: the same SOP Instance UID with other pixels: a person decides"
    assert [(a.end, a.reason) for a in house.arrivals()][1] == (End.QUARANTINED, reason)
    with house.store.unit() as unit:
        stored = unit.find_instance(uid("1"))
    assert stored is not None and stored.ref == house.arrivals()[0].ref
    (note,) = house.folder.glob("*.json")
    assert json.loads(note.read_text())["reason"] == reason
    assert note.with_suffix(".dcm").read_bytes().endswith(encode(mammogram(PixelData=b"\7\0" * 4)))


def unreadable(house: House, name: str) -> None:
    """Spool an object that ends too early."""
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram(name)), encode(mammogram(name))[:-3])


def test_nothing_is_copied_out_within_a_transaction(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a slow disk: while a copy is written another unit can begin; one copy for each object."""
    keep, copied = Quarantine.keep, []

    def watched(self: Quarantine, part10: Iterable[bytes], sha256: str, reason: str, **about: Any) -> Path:
        with house.store.unit() as unit:
            assert all(arrival.reason != reason for arrival in unit.arrivals())
        copied.append(reason)
        return keep(self, part10, sha256, reason, **about)

    monkeypatch.setattr(Quarantine, "keep", watched)
    house.send(mammogram("1"))
    unreadable(house, "bad")
    house.send(mammogram("1", PixelData=b"\7\0" * 4), mammogram("2"))
    assert house.indexer.tick() == 4
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.QUARANTINED, End.COLLECTED]
    assert copied == [arrival.reason for arrival in house.arrivals()[1:3]]


def test_a_death_between_copy_and_commit_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is there and its record is taken in again: one file, one end."""
    unreadable(house, "bad")
    arrived = FakeUnit.arrived

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeUnit, "arrived", killed)
    with pytest.raises(KeyboardInterrupt):
        house.indexer.tick()
    assert (house.ends(), len(list(house.folder.glob("*.json")))) == ([], 1)
    monkeypatch.setattr(FakeUnit, "arrived", arrived)
    assert house.indexer.tick() == 1
    assert (house.ends(), len(list(house.folder.glob("*")))) == ([End.QUARANTINED], 2)


def test_what_cannot_be_read_is_kept_out_and_the_rest_goes_on(house: House) -> None:
    """An undecodable object is quarantined as a file; its neighbours are collected."""
    meta = meta_of(mammogram("bad"))
    house.send(mammogram("1"))
    house.spool.add(RecordKind.INSTANCE, meta, encode(mammogram("bad"))[:-3])
    house.send(mammogram("2"))
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED, End.QUARANTINED, End.COLLECTED]
    assert house.arrivals()[1].reason.startswith("truncated: (7FE0,0010) claims 8 bytes")
    assert len(list(house.folder.glob("*.dcm"))) == 1
