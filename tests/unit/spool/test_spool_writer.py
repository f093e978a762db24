"""Appending: durable, bounded, honest about failure."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.core.ports import Record, RecordKind
from agent.spool import Disk, SpoolFailed, SpoolFull, SpoolLocked, SpoolReader, SpoolWriter
from agent.spool.record import HEADER_BYTES
from agent.spool.segment import DATA_START, segment_files
from tests.harness import wait_until

OpenWriter = Callable[..., SpoolWriter]
INSTANCE = RecordKind.INSTANCE


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in SpoolReader(folder).after({})]


class _Disk:
    """A sync that fails when told to."""

    def __init__(self) -> None:
        self.failures: list[int] = []
        self.synced = 0

    def sync(self, fd: int) -> None:
        if self.failures:
            raise OSError(self.failures.pop(), "told to")
        os.fdatasync(fd)
        self.synced += 1


def test_append_syncs_before_it_returns(open_writer: OpenWriter, folder: Path) -> None:
    """Each record is synced once, and a reader sees it only then."""
    disk = _Disk()
    seen: list[int] = []

    def sync(fd: int) -> None:
        seen.append(len(_payloads(folder)))
        disk.sync(fd)

    channel = open_writer(disk=Disk(fdatasync=sync, dsync=0)).channel()
    for number in range(3):
        channel.append(INSTANCE, {}, bytes([number]))
    assert seen == [0, 1, 2]
    assert disk.synced == 3
    assert _payloads(folder) == [b"\0", b"\1", b"\2"]


def test_a_gathered_payload_is_one_record(open_writer: OpenWriter, folder: Path) -> None:
    """Thousands of buffers of any kind are written as they stand."""
    chunks = [bytes([n % 256]) * (n % 5) for n in range(3000)]
    kinds = (bytes, bytearray, memoryview)
    channel = open_writer().channel()
    channel.append(INSTANCE, {}, [kinds[n % 3](chunk) for n, chunk in enumerate(chunks)])
    assert _payloads(folder) == [b"".join(chunks)]


def test_a_short_write_is_continued(open_writer: OpenWriter, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may write less than it was asked to, anywhere within a buffer."""
    whole = os.pwritev

    def short(fd: int, buffers: list[memoryview], offset: int) -> int:
        return whole(fd, [buffers[0][:7]], offset)

    monkeypatch.setattr(os, "pwritev", short)
    open_writer().channel().append(INSTANCE, {}, [b"0123456789", b"abc", b"ABCDEFGHIJKLM"])
    assert _payloads(folder) == [b"0123456789abcABCDEFGHIJKLM"]


def test_room_in_a_free_segment_counts_at_the_limit(open_writer: OpenWriter) -> None:
    """There is room while a returned segment has some, though none may be made."""
    writer = open_writer(limit_bytes=1 << 16)
    channel = writer.channel()
    channel.append(INSTANCE, {}, b"x")
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, b"y")
    channel.close()
    writer.channel().append(INSTANCE, {}, b"y")


def test_a_segment_is_allocated_whole(open_writer: OpenWriter, folder: Path) -> None:
    """Its blocks are there from the start, so a full disk shows when it is made."""
    open_writer().channel().append(INSTANCE, {}, b"x")
    (path,) = segment_files(folder).values()
    assert path.stat().st_size == 1 << 16
    assert path.stat().st_blocks * 512 >= 1 << 16


def test_a_full_segment_is_followed_by_another(open_writer: OpenWriter, folder: Path) -> None:
    """Records never span segments, and order holds."""
    channel = open_writer().channel()
    payloads = [bytes([n]) * 20_000 for n in range(8)]
    refs = [channel.append(INSTANCE, {}, payload) for payload in payloads]
    assert len({ref.segment for ref in refs}) == 4
    assert _payloads(folder) == payloads


def test_a_large_instance_gets_a_segment_of_its_own_size(open_writer: OpenWriter, folder: Path) -> None:
    """The next small one goes to a normal segment again."""
    channel = open_writer().channel()
    refs = [channel.append(INSTANCE, {}, bytes(size)) for size in (10, 300_000, 10)]
    sizes = [path.stat().st_size for path in segment_files(folder).values()]
    assert sizes[refs[1].segment - 1] >= 300_000
    assert sizes[0] == 1 << 16
    assert [len(payload) for payload in _payloads(folder)] == [10, 300_000, 10]


def test_channels_write_to_segments_of_their_own(open_writer: OpenWriter) -> None:
    """Two open associations never share one; a closed one's is used again."""
    writer = open_writer()
    first, second = writer.channel(), writer.channel()
    used = [channel.append(INSTANCE, {}, b"x").segment for channel in (first, second)]
    assert used == [1, 2]
    first.close()
    first.close()
    assert writer.channel().append(INSTANCE, {}, b"x").segment == 1


def test_a_nearly_full_segment_is_not_lent_again(open_writer: OpenWriter) -> None:
    """The pool keeps only what is worth keeping."""
    writer = open_writer()
    channel = writer.channel()
    channel.append(INSTANCE, {}, bytes(50_000))
    channel.close()
    assert writer.channel().append(RecordKind.HL7, {}, b"x").segment == 2


def test_a_half_empty_segment_is_kept_when_one_record_does_not_fit(open_writer: OpenWriter) -> None:
    """A large record does not waste the room that smaller ones can use."""
    writer = open_writer()
    channel = writer.channel()
    used = [channel.append(INSTANCE, {}, bytes(size)).segment for size in (10, 55_000, 20_000)]
    assert used == [1, 2, 1]


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EIO, SpoolFailed), (errno.ENOSPC, SpoolFull), (errno.EDQUOT, SpoolFull)]
)
def test_a_failed_sync_loses_that_record_alone(
    open_writer: OpenWriter, folder: Path, number: int, error: type[Exception]
) -> None:
    """It is never seen, its segment is given up, and the next append works."""
    disk = _Disk()
    channel = open_writer(disk=Disk(fdatasync=disk.sync, dsync=0)).channel()
    first = channel.append(INSTANCE, {}, b"first")
    disk.failures = [number]
    with pytest.raises(error) as caught:
        channel.append(INSTANCE, {}, b"lost")
    third = channel.append(INSTANCE, {}, b"third")
    assert _payloads(folder) == [b"first", b"third"]
    assert third.segment != first.segment
    assert str(folder) not in str(caught.value)


def test_a_record_whose_sync_failed_does_not_come_back(open_writer: OpenWriter, folder: Path) -> None:
    """The next start finds it wiped."""
    disk = _Disk()
    writer = open_writer(disk=Disk(fdatasync=disk.sync, dsync=0))
    channel = writer.channel()
    disk.failures = [errno.EIO]
    with pytest.raises(SpoolFailed):
        channel.append(INSTANCE, {}, b"lost" * 1000)
    channel.append(INSTANCE, {}, b"kept")
    writer.close()
    open_writer()
    assert _payloads(folder) == [b"kept"]
    first, second = segment_files(folder).values()
    assert not any(first.read_bytes()[DATA_START : DATA_START + HEADER_BYTES])
    assert b"lost" not in second.read_bytes()


def test_the_limit_is_kept(open_writer: OpenWriter, folder: Path) -> None:
    """A segment beyond it is refused; what fits into the last one still goes in, the end of an association too."""
    writer = open_writer(limit_bytes=1 << 16)
    channel = writer.channel()
    channel.append(INSTANCE, {}, bytes(30_000))
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes(30_000))
    with pytest.raises(SpoolFull):
        writer.channel().append(INSTANCE, {}, b"x")
    assert [path.stat().st_size for path in segment_files(folder).values()] == [1 << 16]
    assert len(_payloads(folder)) == 1


def test_room_is_left_for_the_end_of_an_association(open_writer: OpenWriter) -> None:
    """An instance never takes the last bytes of a segment."""
    channel = open_writer(limit_bytes=1 << 16).channel()
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, bytes((1 << 16) - DATA_START - 64))
    channel.append(INSTANCE, {}, bytes((1 << 16) - DATA_START - 4096 - 64))
    channel.append(RecordKind.ASSOCIATION_CLOSED, {"association_id": "a/1"}, b"")


def test_below_the_watermark_instances_are_refused(open_writer: OpenWriter, folder: Path) -> None:
    """Small records still go in, and instances again as soon as there is room."""
    free = [10_000]
    writer = open_writer(refuse_below_free_bytes=5_000, free=lambda _: free[0])
    channel = writer.channel()
    channel.append(INSTANCE, {}, b"first")
    free[0] = 4_999
    wait_until(lambda: not writer.has_free_disk(), 10, "it is seen")
    with pytest.raises(SpoolFull):
        channel.append(INSTANCE, {}, b"refused")
    channel.append(RecordKind.ASSOCIATION_CLOSED, {}, b"")
    free[0] = 5_000
    channel.append(INSTANCE, {}, b"again")
    assert writer.has_free_disk()
    writer.close()
    assert _payloads(folder) == [b"first", b"", b"again"]


def test_free_bytes_are_those_of_the_file_system(open_writer: OpenWriter, folder: Path) -> None:
    """Without a stand-in the watermark looks at the disk itself."""
    writer = open_writer(refuse_below_free_bytes=1)
    assert writer.has_free_disk()
    writer.close()


def test_a_second_writer_is_refused(open_writer: OpenWriter) -> None:
    """One writer a folder, until it closes."""
    first = open_writer()
    with pytest.raises(SpoolLocked):
        open_writer()
    first.close()
    open_writer().close()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_spool(tmp_path: Path) -> None:
    """A file in its place is reported without a path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolFailed) as caught:
        SpoolWriter(tmp_path / "file" / "spool", limit_bytes=1, refuse_below_free_bytes=0, now=lambda: None)  # type: ignore[arg-type,return-value]
    assert str(tmp_path) not in str(caught.value)


def test_a_spool_that_cannot_be_recovered_is_an_error_and_unlocked(open_writer: OpenWriter, folder: Path) -> None:
    """The next start may try again."""
    (folder / "segment-00000001.spool").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(SpoolFailed):
            open_writer()


def test_four_threads_lose_nothing(open_writer: OpenWriter, folder: Path) -> None:
    """Every record comes back once, while a reader follows; sequences are unique, each channel's order holds."""
    writer = open_writer()
    reader, seen, failed = SpoolReader(folder), list[Record](), list[BaseException]()

    def hammer(name: int) -> None:
        try:
            channel = writer.channel()
            for number in range(60):
                channel.append(INSTANCE, {"from": f"{name}/{number}"}, os.urandom(1 + 97 * number))
            channel.close()
        except BaseException as error:  # noqa: BLE001 - reported by the test below
            failed.append(error)

    def follow(cursor: dict[int, object]) -> None:
        for record in reader.after(cursor):  # type: ignore[arg-type]
            cursor[record.ref.segment] = record.ref
            seen.append(record)

    threads = [threading.Thread(target=hammer, args=(name,)) for name in range(4)]
    cursor: dict[int, object] = {}
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        follow(cursor)
    follow(cursor)
    assert failed == []
    assert sorted(record.meta["from"] for record in seen) == sorted(f"{n}/{m}" for n in range(4) for m in range(60))
    assert len({record.sequence for record in seen}) == 240
    for name in range(4):
        own = [record for record in seen if record.meta["from"].startswith(f"{name}/")]
        own.sort(key=lambda record: record.sequence)
        assert [record.meta["from"] for record in own] == [f"{name}/{number}" for number in range(60)]
    assert list(reader.after({})) == sorted(seen, key=lambda record: record.sequence)
