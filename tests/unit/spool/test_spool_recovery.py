"""What a crash or a bad disk leaves, and what the next start makes of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.errors import Permanent
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import SpoolFailed, SpoolReader, SpoolWriter
from agent.spool.segment import DATA_START, PAGE, segment_files
from tests.fakes.spool import NOW
from tests.peers import ROOT

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in SpoolReader(folder).after({})]


def _only_segment(folder: Path) -> Path:
    (path,) = segment_files(folder).values()
    return path


def _patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.fixture
def three(open_writer: OpenWriter, folder: Path) -> list[int]:
    """Leave a spool of three records, closed; give the offsets at which each begins, and the end."""
    writer = open_writer()
    channel = writer.channel()
    offsets = [channel.append(INSTANCE, {"n": str(n)}, bytes([65 + n]) * 100).offset for n in range(3)]
    channel.close()
    writer.close()
    return [*offsets, offsets[2] + (offsets[2] - offsets[1])]


def test_a_torn_tail_is_cut_wherever_it_is_torn(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """A record of which only the first n bytes reached the disk goes; the others stay, and appending goes on."""
    path = _only_segment(folder)
    whole = path.read_bytes()
    record = whole[three[2] : three[3]]
    horizon = _horizon_before(whole, open_writer, folder, three[2])
    for kept in range(1, len(record) - 7, 3):  # the last 7 bytes are padding or zero in part
        path.write_bytes(horizon[: three[2]] + record[:kept] + bytes(len(whole) - three[2] - kept))
        writer = open_writer()
        assert _payloads(folder) == [b"A" * 100, b"B" * 100]
        assert not any(path.read_bytes()[three[2] :])
        channel = writer.channel()
        assert channel.append(INSTANCE, {}, b"next").offset == three[2]
        channel.close()
        writer.close()
        assert _payloads(folder) == [b"A" * 100, b"B" * 100, b"next"]


def _horizon_before(whole: bytes, open_writer: OpenWriter, folder: Path, end: int) -> bytes:
    """Return the segment as it stood when it ended at `end`."""
    path = _only_segment(folder)
    path.write_bytes(whole[:PAGE] + bytes(PAGE) + whole[DATA_START:end] + bytes(len(whole) - end))
    open_writer().close()
    return path.read_bytes()


def test_a_lost_horizon_is_found_again(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """The horizon is only a hint: without it every whole record is found, and the sequence goes on."""
    _patch(_only_segment(folder), PAGE, bytes(PAGE))
    assert _payloads(folder) == []
    writer = open_writer()
    assert _payloads(folder) == [b"A" * 100, b"B" * 100, b"C" * 100]
    writer.channel().append(INSTANCE, {}, b"next")
    sequences = [record.sequence for record in SpoolReader(folder).after({})]
    assert sequences == sorted(set(sequences))


def test_sequence_numbers_go_on_after_a_restart(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """A record of the next run comes after all of the last one, in whichever segment it lies."""
    before = [record.sequence for record in SpoolReader(folder).after({})]
    writer = open_writer()
    writer.channel().append(INSTANCE, {}, bytes(200_000))
    writer.channel().append(INSTANCE, {}, b"")
    after = [record.sequence for record in SpoolReader(folder).after({})]
    assert after[:3] == before
    assert len(set(after)) == 5
    assert after == sorted(after)


def test_a_damaged_record_hides_no_other(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """Damage in a payload or in a header is passed over, before and after a restart, and never cut."""
    path = _only_segment(folder)
    for offset in (three[0] + 100, three[0] + 5, three[0]):
        _patch(path, offset, b"\xff")
        expected = [b"B" * 100, b"C" * 100]
        assert _payloads(folder) == expected
        _patch(path, PAGE, bytes(PAGE))
        open_writer().close()
        assert _payloads(folder) == expected
        assert b"A" * 50 in path.read_bytes()


def test_reading_a_damaged_record_is_permanent(folder: Path, three: list[int]) -> None:
    """The checksum is verified each time a record is read."""
    reader = SpoolReader(folder)
    ref = next(reader.after({})).ref
    _patch(_only_segment(folder), ref.offset + 100, b"\xff")
    with pytest.raises(Permanent, match="damaged"):
        reader.read(ref)


def test_a_disk_that_refuses_to_read_is_reported(folder: Path, three: list[int]) -> None:
    """Reading may work later, so it is no damage."""
    (folder / "segment-00000002.spool").mkdir()
    reader = SpoolReader(folder)
    with pytest.raises(SpoolFailed):
        list(reader.after({}))
    with pytest.raises(SpoolFailed):
        reader.read(SpoolRef(2, 1, DATA_START))


def test_a_segment_that_vanishes_while_it_is_read_is_permanent(folder: Path, three: list[int]) -> None:
    """What was promised cannot be given any more."""
    records = SpoolReader(folder).after({})
    next(records)
    _only_segment(folder).unlink()
    with pytest.raises(Permanent, match="gone"):
        list(records)


def test_the_oldest_record_behind_a_cursor_is_told(folder: Path, three: list[int]) -> None:
    """Without its payload; none where everything was read, or there is no spool."""
    reader = SpoolReader(folder)
    first, *_, last = reader.after({})
    assert reader.oldest_after({}) == first.received_at
    assert reader.oldest_after({last.ref.segment: last.ref}) is None
    assert SpoolReader(folder / "none").oldest_after({}) is None


def test_a_cursor_on_a_damaged_record_goes_on_behind_it(folder: Path, three: list[int]) -> None:
    """The next whole record is found by its magic."""
    reader = SpoolReader(folder)
    first = next(reader.after({})).ref
    _patch(_only_segment(folder), first.offset, bytes(48))
    assert [record.payload for record in reader.after({1: first})] == [b"B" * 100, b"C" * 100]


def test_bytes_that_look_like_a_record_are_not_taken_for_one(
    open_writer: OpenWriter, folder: Path, three: list[int]
) -> None:
    """A sender cannot smuggle a record in a payload: not even with the damage that starts a search."""
    path = _only_segment(folder)
    forged = path.read_bytes()[three[0] : three[1]]
    writer = open_writer(segment_bytes=1 << 17, now=lambda: NOW + timedelta(seconds=1))
    channel = writer.channel()
    ref = channel.append(INSTANCE, {}, b"12345" + forged * 900)  # too long for the first segment
    last = channel.append(INSTANCE, {}, b"last")
    channel.close()
    writer.close()
    assert ref.segment == last.segment != 1
    _patch(segment_files(folder)[ref.segment], ref.offset, bytes(48))
    assert _payloads(folder)[3:] == [b"last"]


def test_a_damaged_identity_leaves_the_segment_alone(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """Nothing of it is read or overwritten, and its number is not used again."""
    path = _only_segment(folder)
    _patch(path, 20, b"\xff")
    damaged = path.read_bytes()
    ref = open_writer().channel().append(INSTANCE, {}, b"next")
    assert ref.segment == 2
    assert path.read_bytes() == damaged
    assert _payloads(folder) == [b"next"]


def test_what_was_left_half_made_is_removed(open_writer: OpenWriter, folder: Path, three: list[int]) -> None:
    """A segment gets its name last, so one without it holds nothing."""
    (folder / "segment-00000002.spool.new").write_bytes(bytes(100))
    (folder / "notes.txt").write_bytes(b"not ours")
    open_writer()
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "notes.txt", "segment-00000001.spool"]
    assert len(_payloads(folder)) == 3


def test_full_segments_are_not_opened_again(open_writer: OpenWriter, folder: Path) -> None:
    """After a restart only segments with more than half their room left are appended to."""
    writer = open_writer()
    writer.channel().append(INSTANCE, {}, bytes(40_000))
    writer.close()
    assert open_writer().channel().append(INSTANCE, {}, b"next").segment == 2


def test_an_empty_or_absent_folder_yields_nothing(folder: Path) -> None:
    """A reader may start before the first writer."""
    assert _payloads(folder) == []
    folder.mkdir()
    (folder / "segment-00000001.spool").write_bytes(b"short")
    assert _payloads(folder) == []


def test_a_truncated_copy_of_a_segment_is_read_as_far_as_it_goes(folder: Path, three: list[int]) -> None:
    """Files cut short anywhere raise nothing."""
    path = _only_segment(folder)
    whole = path.read_bytes()
    for length, count in ((three[3] - 60, 2), (three[1] + 10, 1), (DATA_START, 0), (PAGE + 3, 0), (30, 0)):
        path.write_bytes(whole[:length])
        assert len(_payloads(folder)) == count


WRITER = """
import os, sys
from datetime import datetime, timezone
from pathlib import Path
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.spool import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), limit_bytes=1 << 24, refuse_below_free_bytes=0, segment_bytes=1 << 16,
                     now=lambda: datetime.now(timezone.utc))
channel = writer.channel()
for number in range(10):
    channel.append(RecordKind.INSTANCE, {"n": str(number)}, bytes([number]) * 3000)
    print(number, flush=True)
"""


@pytest.fixture
def killed_at(folder: Path) -> Callable[[str], int]:
    """Give a runner of a writer process that is killed at a crash point; it returns how many appends returned."""

    def run(point: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", WRITER, str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SENTINODE_TEST_KILL_AT": point},
            stdout=subprocess.PIPE,
            start_new_session=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        return len(done.stdout.split())

    return run


@pytest.mark.parametrize("point", ["spool.after_append:1", "spool.after_append:4", "spool.after_sync:4"])
def test_a_killed_writer_loses_nothing_it_acknowledged(
    open_writer: OpenWriter, folder: Path, killed_at: Callable[[str], int], point: str
) -> None:
    """Before a restart readers see exactly what was acknowledged; after it, that and at most one whole record more."""
    acknowledged = killed_at(point)
    assert acknowledged == int(point.rpartition(":")[2]) - 1
    assert _payloads(folder) == [bytes([n]) * 3000 for n in range(acknowledged)]
    writer = open_writer()
    found = _payloads(folder)
    assert found == [bytes([n]) * 3000 for n in range(acknowledged + 1)]
    writer.channel().append(INSTANCE, {}, b"next")
    assert _payloads(folder) == [*found, b"next"]
