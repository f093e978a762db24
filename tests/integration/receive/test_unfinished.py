"""Objects that have begun and do not end: one peer's leave room for the others'."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.receive.unfinished import TooMuchUnfinished, Unfinished
from agent.spool import SpoolReader, SpoolWriter, max_object_bytes_of, segments
from tests.receivers import SC, SUCCESS, Running, Start, eventually, open_association
from tests.senders import RawAssociation

MIB = 1 << 20
OUT_OF_RESOURCES = 0xA700
ROOMY = {"segment_bytes": 8 * MIB}  # no object outgrows one


def _begin(association: RawAssociation, length: int) -> None:
    association.send_command(1, 0x0001, SC, "1.2")
    for _ in range(length >> 14):
        association.send_pdv(1, 0, bytes(1 << 14))


def _wait_until_there(running: Running, length: int) -> None:
    """So much is counted: the receiver holds a MiB of each object before it goes to the spool."""
    eventually(lambda: running.receiver._unfinished._taken.total() > length)


def _end(association: RawAssociation) -> int:
    association.send_pdv(1, 2, b"end")
    return association.read_status()


def test_unfinished_objects_of_one_peer_leave_room_for_others(start: Start) -> None:
    """Of 8 MiB a peer may have 4: its next object is refused, another peer's taken, and its own when one ended."""
    running = start(max_unfinished_bytes=8 * MIB, spool=ROOMY)
    first, second, other = (open_association(running, calling=name) for name in ("SENDER", "SENDER", "STORER"))
    with capture_logs() as logs:
        _begin(first, 3 * MIB)
        _wait_until_there(running, int(1.9 * MIB))
        _begin(second, 3 * MIB)
        assert _end(second) == OUT_OF_RESOURCES
        _begin(other, 3 * MIB)
        assert (_end(other), _end(first)) == (SUCCESS, SUCCESS)
        _begin(second, 3 * MIB)
        assert _end(second) == SUCCESS
    (told,) = (one for one in logs if one["event"] == "instance_refused" and "peer" in one)
    assert told["reason"] == "the unfinished objects of this peer take too much"
    for association in (first, second, other):
        association.release()


def test_unfinished_objects_of_all_peers_have_a_bound(start: Start) -> None:
    """Of many peers together, too."""
    running = start(max_unfinished_bytes=4 * MIB, accept_from="any", spool=ROOMY)
    held = [open_association(running, calling=f"E{n}", source=f"127.0.0.{n}") for n in range(2, 5)]
    for association in held[:2]:
        _begin(association, int(2.5 * MIB))
    _wait_until_there(running, 3 * MIB)
    with capture_logs() as logs:
        _begin(held[2], int(2.5 * MIB))
        assert _end(held[2]) == OUT_OF_RESOURCES
    assert [one["reason"] for one in logs if "peer" in one] == ["the unfinished objects of all peers take too much"]
    for association in held:
        association.abort()


@pytest.mark.parametrize("end", ["abort", "reset"])
def test_who_leaves_gives_back_what_was_counted(start: Start, end: str) -> None:
    """Again and again."""
    running = start(max_unfinished_bytes=4 * MIB, spool=ROOMY)
    for _ in range(3):
        association = open_association(running)
        _begin(association, int(1.5 * MIB))
        getattr(association, end)()
        eventually(lambda: not running.receiver.associations)
    with open_association(running) as association:
        _begin(association, int(1.5 * MIB))
        assert _end(association) == SUCCESS


def test_a_segment_that_was_made_for_an_object_counts_whole(tmp_path: Path) -> None:
    """One of unknown length gets twice the room that it needs: those of two peers leave a third half of the spool."""
    limit = 32 * MIB
    now = datetime.now(UTC)
    writer = SpoolWriter(
        tmp_path, limit_bytes=limit, refuse_below_free_bytes=0, segment_bytes=MIB, keep_spare=False, now=lambda: now
    )
    unfinished = Unfinished(lambda: limit // 2)
    channels = [unfinished.counted(writer.channel(), ("", peer)) for peer in ("one", "two") for _ in range(4)]
    for channel in channels:
        draft = channel.begin(RecordKind.INSTANCE, {})
        try:
            for _ in range(2):
                draft.write([memoryview(bytes(MIB))])
        except TooMuchUnfinished:
            draft.abandon()
    assert sum(one.size for one in segments(tmp_path)) <= limit // 2 + 2 * MIB
    third = unfinished.counted(writer.channel(), ("", "three"))
    third.append(RecordKind.INSTANCE, {}, bytes(MIB // 2))
    for channel in (*channels, third):
        channel.close()
    writer.close()


def test_on_a_small_disk_half_of_what_it_has_counts(start: Start) -> None:
    """It has 32 MiB for the spool, whatever the limit is: of these a peer's unfinished objects get 8."""

    def free(folder: Path) -> int:
        return 33 * MIB - sum(path.stat().st_size for path in folder.glob("segment-*"))

    disk = {"refuse_below_free_bytes": MIB, "free": free, "keep_spare": False}
    running = start(max_unfinished_bytes=1 << 29, spool=ROOMY | disk)
    first, second, other = (open_association(running, calling=name) for name in ("SENDER", "SENDER", "STORER"))
    _begin(first, 6 * MIB)
    _wait_until_there(running, int(4.9 * MIB))
    for sender, status in ((second, OUT_OF_RESOURCES), (other, SUCCESS)):
        _begin(sender, 6 * MIB)
        assert _end(sender) == status
    assert _end(first) == SUCCESS
    for association in (first, second, other):
        association.release()


def test_the_largest_object_of_a_peer_is_within_its_share(tmp_path: Path) -> None:
    """However much room it was given in the end."""
    limit = 32 * MIB
    now, most = datetime.now(UTC), max_object_bytes_of(limit)
    writer = SpoolWriter(
        tmp_path,
        limit_bytes=limit,
        refuse_below_free_bytes=0,
        segment_bytes=MIB,
        max_object_bytes=most,
        now=lambda: now,
    )
    channel = Unfinished(lambda: limit // 2).counted(writer.channel(), ("", "one"))
    draft = channel.begin(RecordKind.INSTANCE, {})
    for _ in range(most // MIB):
        draft.write([memoryview(bytes(MIB))])
    ref = draft.commit()
    channel.close()
    writer.close()
    assert len(SpoolReader(tmp_path).read(ref).payload) == most
