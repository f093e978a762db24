"""Real segments, a database and a quarantine: bad sectors and a full disk hold up no other object, and lose none."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydicom.dataset import Dataset
from structlog.testing import capture_logs

from agent.assemble.arriving import Arriving
from agent.assemble.attempts import MOST_FAILURES
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.owed import Owed, give_up
from agent.assemble.retention import Retention
from agent.core.case import CaseEvent
from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.record.quarantine import Quarantine
from agent.spool import Channel, KeptSpool, SpoolReader, SpoolWriter
from agent.spool.segment import segment_name
from agent.state import SqlStore
from agent.state.migration import migrate
from agent.state.overview import overview
from tests.clock import Clock
from tests.fakes.bad_sectors import BadSectors
from tests.fakes.instances import encode, mammogram, meta_of
from tests.indexing import EPISODE, QUIET
from tests.small_disk import fill

LIMIT = 1 << 20
SEGMENT = 1 << 15
SPREAD = {"PixelData": bytes(3_900), "Rows": 39, "Columns": 50}  # none has its header on another's page
LARGE = {"PixelData": bytes(20_000), "Rows": 100, "Columns": 100}


class House:
    """What receiver and keeper do, without their processes."""

    def __init__(self, folder: Path, quarantine: Path) -> None:
        self.spool = folder / "spool"
        self.reports: list[bytes] = []
        self.clock = Clock()
        url = f"sqlite:///{folder / 'state.db'}"
        migrate(url)
        self.store = SqlStore(url)
        self.writer = SpoolWriter(
            self.spool,
            limit_bytes=LIMIT,
            refuse_below_free_bytes=0,
            segment_bytes=SEGMENT,
            keep_spare=False,
            now=self.clock,
        )
        self.kept = KeptSpool(self.spool, limit_bytes=LIMIT, now=self.clock)
        self.quarantine = quarantine
        self.start()

    def start(self) -> None:
        """Begin anew, as a keeper that was killed."""
        quarantine = Quarantine(self.quarantine, 1 << 30)
        reader = SpoolReader(self.spool)
        self.indexer = Indexer(
            reader,
            self.store,
            (QuestionScope("aln", frozenset({"MG"})),),
            IndexSettings(QUIET, EPISODE),
            reading=Reading(partial(read_header, site_issuer=None), to_part10, same_pixels),
            quarantine=quarantine,
            on_event_report=lambda _, record: self.reports.append(bytes(record.payload)),
            now=self.clock,
            new_case_uuid=uuid4,
        )
        self.owed = Owed(reader, self.store, to_part10, quarantine, self.indexer.take_late)
        self.retention = Retention(self.store, self.kept, episode=EPISODE, now=self.clock)

    def receive(self, channel: Channel, ds: Dataset, cut: int = 0) -> SpoolRef:
        """Append an object; `cut` bytes of its end are missing."""
        data = encode(ds)
        return channel.append(RecordKind.INSTANCE, meta_of(ds), data[: len(data) - cut])

    def ends(self) -> dict[str, str]:
        """What became of each object."""
        with self.store.unit() as unit:
            return {one.sop_instance_uid: one.end.value for one in unit.arrivals()}

    def are_owed(self) -> list[SpoolRef]:
        """Whose copies are still to be made."""
        with self.store.unit() as unit:
            return [one.ref for one in unit.owed_copies()]

    def released(self) -> set[int]:
        """Go round all segments, and return those that were released."""
        for _ in range(20):
            self.retention.tick()
        return {one.number for one in self.kept.segments() if one.is_released}

    def copies(self) -> list[bytes]:
        """The files in quarantine."""
        return [path.read_bytes() for path in self.quarantine.glob("*.dcm")]

    def close(self) -> None:
        """Give everything up."""
        self.kept.close()
        self.writer.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give one whose quarantine has room."""
    with closing(House(tmp_path, tmp_path / "quarantine")) as made:
        yield made


def test_a_record_on_a_bad_sector_is_passed_over_and_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are taken in at once, those behind it after its tries; its segment is not used anew until it was read."""
    disk = BadSectors(monkeypatch)
    names = [f"P{n}" for n in range(4)]
    bad_ds, *others = [mammogram(name, PatientID=name, Modality="CR", **LARGE) for name in names]
    channel, other = house.writer.channel(), house.writer.channel()
    bad = house.receive(channel, bad_ds)
    for ds in others[:2]:
        house.receive(channel, ds)
    house.receive(other, others[2])
    disk.spoil(house.spool / segment_name(bad.segment), bad.offset + 8000)
    for one in (channel, other):
        one.close()
    house.writer._pool.seal(is_full=True)
    house.indexer.tick()
    first = house.ends()
    assert str(others[2].SOPInstanceUID) in first and str(bad_ds.SOPInstanceUID) not in first
    for _ in range(MOST_FAILURES):
        house.indexer.tick()
    assert house.ends() == {str(ds.SOPInstanceUID): "not_relevant" for ds in others} | {
        str(bad_ds.SOPInstanceUID): "quarantined"
    }
    assert house.are_owed() == [bad]
    assert bad.segment not in house.released()
    house.start()
    assert house.indexer.tick() == house.owed.tick() == 0
    disk.heal()
    assert house.owed.tick() == 1
    assert set(house.ends().values()) == {"not_relevant"}
    assert house.copies() == house.are_owed() == []
    assert bad.segment in house.released()


@pytest.mark.parametrize("with_report", [False, True])
def test_what_was_hidden_between_others_is_found_once(
    house: House, monkeypatch: pytest.MonkeyPatch, with_report: bool
) -> None:
    """Two headers on pages of their own, perhaps with a report between; the next object was taken in long ago."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    names = ["first", "hidden", "lost", "next"]
    refs = {name: house.receive(channel, mammogram(name, **SPREAD)) for name in names[:2]}
    if with_report:
        channel.append(RecordKind.EVENT_REPORT, {}, b"report")
    refs |= {name: house.receive(channel, mammogram(name, **SPREAD)) for name in names[2:]}
    assert len({ref.segment for ref in refs.values()}) == 1
    for name in ("hidden", "lost"):
        disk.spoil(house.spool / segment_name(refs[name].segment), refs[name].offset)
    for _ in range(2 * MOST_FAILURES + 1):
        house.indexer.tick()
    assert {str(mammogram(name).SOPInstanceUID) for name in ("first", "next")} < house.ends().keys()
    assert house.owed.tick() == 0
    disk.heal()
    house.start()
    assert [house.owed.tick() for _ in range(3)] == [1, 2 + with_report, 0]
    assert house.ends() == {str(mammogram(name).SOPInstanceUID): "collected" for name in names}
    assert (house.are_owed(), house.copies(), house.indexer.tick()) == ([], [], 0)
    assert house.reports == [b"report"] * with_report
    with house.store.unit() as unit:
        assert unit.cursor()[refs["next"].segment] == refs["next"]


def test_of_what_is_still_hidden_nothing_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next object is taken in; the segment stays."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    bad = house.receive(channel, mammogram("bad", **LARGE))
    house.receive(channel, mammogram("sound", Modality="CR"))
    disk.spoil(house.spool / segment_name(bad.segment), bad.offset)
    channel.close()
    house.writer._pool.seal(is_full=True)
    for _ in range(MOST_FAILURES + 1):
        house.indexer.tick()
    assert house.ends() == {"": "quarantined", str(mammogram("sound").SOPInstanceUID): "not_relevant"}
    assert house.owed.tick() == 0
    assert (len(house.are_owed()), house.copies()) == (1, [])
    assert bad.segment not in house.released()


def test_what_a_person_gives_up_lets_its_segment_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sector is dead: it is owed no more, counted with both reasons, and the log says who did it."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    bad = house.receive(channel, mammogram("bad", **LARGE))
    disk.spoil(house.spool / segment_name(bad.segment), bad.offset + 8000)
    with closing(house.writer.channel()) as other:  # one segment always stays open, the emptiest
        house.receive(other, mammogram("other", Modality="CR"))
    channel.close()
    house.writer._pool.seal(is_full=True)
    for _ in range(MOST_FAILURES):
        house.indexer.tick()
    assert bad.segment not in house.released()
    with capture_logs() as logs:
        give_up(house.store, bad, "sam", "its disk was thrown away")
    assert [(one["event"], one["segment"], one["by"]) for one in logs] == [
        ("spool_record_given_up_by_word", bad.segment, "sam")
    ]
    reason = f"it could not be read: Unreadable, {MOST_FAILURES} times; given up by sam: its disk was thrown away"
    with house.store.reading() as connection:
        assert overview(connection).reasons[reason] == 1
    assert bad.segment in house.released()
    disk.heal()
    assert house.owed.tick() == 0
    with pytest.raises(Permanent, match="nothing is owed of"):
        give_up(house.store, bad, "sam", "again")


class Killed(BaseException):
    """Ends everything at once."""


def test_an_image_that_the_disk_gives_back_late_joins_its_case_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the keeper is killed while it takes it in; the tables count it once."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    ds = mammogram("late", **LARGE)
    late = house.receive(channel, ds)
    other = house.receive(channel, mammogram("other"))
    disk.spoil(house.spool / segment_name(late.segment), late.offset + 8000)
    for _ in range(MOST_FAILURES):
        house.indexer.tick()
    assert sorted(house.ends().values()) == ["collected", "quarantined"]
    assert house.owed.tick() == 0
    disk.heal()
    right = Arriving.arrive

    def killed(*args: Any) -> None:
        right(*args)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Arriving, "arrive", killed)
        with pytest.raises(Killed):
            house.owed.tick()
    assert house.are_owed() == [late]
    assert house.ends()[str(ds.SOPInstanceUID)] == "quarantined"
    house.start()
    assert [house.owed.tick() for _ in range(2)] == [1, 0]
    with house.store.unit() as unit:
        (arrived, _) = unit.arrivals()
        assert arrived.patient is not None
        case = unit.newest_case("aln", arrived.patient)
        assert case is not None
        assert {one.ref for one in unit.instances(case.id)} == {late, other}
        assert unit.tally(case.id) == {CaseEvent.INSTANCE_STORED: 2}
        assert unit.cursor()[late.segment] == other
    with house.store.reading() as connection:
        assert overview(connection).arrivals == {"collected": 2}
    assert house.copies() == []


def test_what_was_hidden_to_the_end_of_its_segment_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was away for a time, headers and all: everything is taken in, and nothing is owed any more."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    refs = [house.receive(channel, mammogram(name)) for name in ("1", "2", "3")]
    assert len({ref.segment for ref in refs}) == 1
    for ref in refs[1:]:
        disk.spoil(house.spool / segment_name(ref.segment), ref.offset)
    for _ in range(MOST_FAILURES + 1):
        house.indexer.tick()
    assert sorted(house.ends().values()) == ["collected", "quarantined"]
    disk.heal()
    house.start()
    assert house.indexer.tick() == 2
    assert list(house.ends().values()) == ["collected"] * 3
    assert house.are_owed() == []


def test_an_end_on_a_bad_sector_does_not_hold_the_case_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows what lay there it may have been the end of the association."""
    disk = BadSectors(monkeypatch)
    channel = house.writer.channel()
    meta = {"association_id": "run/1"}
    channel.append(RecordKind.ASSOCIATION_OPENED, meta | {"calling_ae_title": "MAMMO1"}, b"")
    ds = mammogram("one", **LARGE)
    channel.append(RecordKind.INSTANCE, meta_of(ds) | meta, encode(ds))
    end = channel.append(RecordKind.ASSOCIATION_CLOSED, meta, b"")
    channel.close()
    disk.spoil(house.spool / segment_name(end.segment), end.offset)
    for _ in range(MOST_FAILURES + 1):
        house.indexer.tick()
    with house.store.unit() as unit:
        (arrived,) = (one for one in unit.arrivals() if one.patient)
        case = unit.newest_case("aln", arrived.patient)
        assert case is not None
        assert not unit.has_open_association(case.id)


def test_a_full_quarantine_holds_up_no_healthy_object(tmp_path: Path, tmpfs: Path) -> None:
    """Images go on becoming cases; what could not be copied is, once there is room, also after a kill."""
    fill(tmpfs / "ballast")
    with closing(House(tmp_path, tmpfs / "quarantine")) as house, closing(house.writer.channel()) as channel:
        broken = house.receive(channel, mammogram("broken", **LARGE), cut=3)
        house.receive(channel, mammogram("sound", **LARGE))
        assert house.indexer.tick() == 2
        assert sorted(house.ends().values()) == ["collected", "quarantined"]
        assert house.are_owed() == [broken]
        assert house.owed.tick() == 0
        assert house.copies() == []
        house.start()
        (tmpfs / "ballast").unlink()
        assert house.owed.tick() == 1
        (copy,) = house.copies()
        assert copy.endswith(encode(mammogram("broken", **LARGE))[:-3])
        assert house.are_owed() == []
