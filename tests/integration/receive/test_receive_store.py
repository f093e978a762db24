"""C-STORE: acknowledged only when durable, and read back as the bytes on the wire."""

import csv
import errno
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.dimse.still import hold_still
from tests.peers import program, shared
from tests.receivers import Running, eventually, open_association
from tests.senders import EXPLICIT, IMPLICIT, AssociationRejected, RawAssociation, Sendable, send_raw, split_part10
from tests.small_disk import fill

Start = Callable[..., Running]
SC = "1.2.840.10008.5.1.4.1.1.7"
INSTANCE = RecordKind.INSTANCE
CONTEXTS = [(SC, [IMPLICIT, EXPLICIT])]
SUCCESS, OUT_OF_RESOURCES, NOT_AUTHORIZED = 0x0000, 0xA700, 0x0124


def _send(running: Running, *items: tuple[str, str, str, bytes], calling: str = "SENDER") -> list[int | None]:
    return send_raw("127.0.0.1", running.port, calling, "SENTINODE", items)


def _inventory() -> list[Path]:
    with shared("data", "DICOM_INVENTORY.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    return [shared("data", name) for name in names if name.startswith("dicom/")]


def _open_raw(running: Running) -> RawAssociation:
    return RawAssociation(
        "127.0.0.1", running.port, calling="SENDER", called="SENTINODE", contexts=[(SC, [IMPLICIT, EXPLICIT])]
    )


def test_an_instance_comes_back_as_it_was_sent(start: Start) -> None:
    """Payload, UIDs, transfer syntax and the parties stand in the record; bytes that are no DICOM too."""
    running = start()
    payload = os.urandom(100_001)
    assert _send(running, (SC, "1.2.3", IMPLICIT, payload)) == [SUCCESS]
    (record,) = running.records(INSTANCE)
    (opened,) = running.records(RecordKind.ASSOCIATION_OPENED)
    assert record.payload == payload
    assert record.meta == {
        "association_id": opened.meta["association_id"],
        "calling_ae_title": "SENDER",
        "called_ae_title": "SENTINODE",
        "peer": "127.0.0.1",
        "sop_class_uid": SC,
        "sop_instance_uid": "1.2.3",
        "transfer_syntax_uid": IMPLICIT,
    }


def test_every_real_file_is_acknowledged_and_read_back_equal(start: Start) -> None:
    """Each file of the inventory is stored byte for byte, or refused with a reason; the receiver goes on."""
    running = start()
    sent: dict[str, Sendable] = {}
    refused: dict[str, str] = {}
    for path in _inventory():
        split = split_part10(path.read_bytes())
        if isinstance(split, str):
            refused[path.name] = split
            continue
        (status,) = _send(running, split.item)
        if status is None:
            refused[path.name] = "no presentation context"
        else:
            assert status == SUCCESS, path.name
            sent[path.name] = split
    records = running.records(INSTANCE)
    assert [record.payload for record in records] == [split.dataset for split in sent.values()]
    for record, split in zip(records, sent.values(), strict=True):
        assert record.meta["sop_class_uid"] == split.sop_class_uid
        assert record.meta["sop_instance_uid"] == split.sop_instance_uid
        assert record.meta["transfer_syntax_uid"] == split.transfer_syntax_uid
    assert refused == {
        "Issue1097_FailToOpenDeflatedFileWithSQ.dcm": "no presentation context",  # of a private SOP class
        "GH220.dcm": "no presentation context",  # likewise
        "GH340.dcm": "no SOP Class UID",  # ACR-NEMA 1.0
    }


def test_storescu_sends_what_it_can(start: Start) -> None:
    """DCMTK's sender gets Success for what it proposes, and the pixel data arrives as it was."""
    running = start()
    names = ("dicom/weasis/ybrFull-RLE.dcm", "dicom/nema-wg04/US1_RLE", "dicom/fo-dicom/MOVEKNEE.dcm")
    paths = [shared("data", name) for name in names]
    for path, option in zip(paths, ("-xr", "-xr", "-xe"), strict=True):
        subprocess.run(
            [program("storescu"), option, "-aet", "SENDER", "-aec", "SENTINODE", "127.0.0.1", str(running.port), path],
            check=True,
            timeout=60,
        )
    records = running.records(INSTANCE)
    assert len(records) == len(paths)
    for path, record in zip(paths, records, strict=True):
        original = dcmread(path)
        assert record.meta["sop_instance_uid"] == original.SOPInstanceUID
        assert original.PixelData in record.payload


def test_pynetdicom_sends_over_one_association(start: Start) -> None:
    """Another implementation's requestor, with several contexts and objects."""
    running = start()
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(SC, [IMPLICIT, EXPLICIT])
    association = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE")
    assert association.is_established
    for number in range(3):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = SC, generate_uid()
        ds.InstanceNumber = number
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = EXPLICIT
        hold_still(association)
        assert association.send_c_store(ds).Status == SUCCESS
    association.release()
    records = running.records(INSTANCE)
    assert [record.meta["transfer_syntax_uid"] for record in records] == [EXPLICIT] * 3
    assert len({record.meta["association_id"] for record in records}) == 1
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_the_same_instance_again_is_stored_again(start: Start) -> None:
    """What duplicates mean is decided later."""
    running = start()
    item = (SC, "1.2.3", EXPLICIT, b"\x08\x00\x05\x00CS\x02\x00xx")
    assert _send(running, item, item) == [SUCCESS, SUCCESS]
    assert _send(running, item) == [SUCCESS]
    assert len(running.records(INSTANCE)) == 3


def test_hostile_uids_reach_no_path(start: Start, tmp_path: Path) -> None:
    """UIDs that are paths are kept as texts; the folder holds the lock and segments, one perhaps in the making."""
    running = start()
    uids = [
        "../../../../tmp/evil",
        "/etc/passwd",
        "a\\..\\b",
        "1.2.3/../x",
        "$(id)",
        "..",
        "'; DROP TABLE x; --",
        "1" * 200,
    ]
    assert _send(running, *((SC, uid, EXPLICIT, b"x" * 10) for uid in uids)) == [SUCCESS] * len(uids)
    kept = [record.meta["sop_instance_uid"] for record in running.records(INSTANCE)]
    assert kept == [uid.partition("\\")[0] for uid in uids]  # of several values the first counts
    assert sorted(tmp_path.rglob("*")) == sorted(
        {running.folder, running.folder / "lock", *running.folder.glob("segment-*.spool*")}
    )


def test_a_failed_sync_is_answered_out_of_resources(start: Start) -> None:
    """0xA700 for that object alone; the next one of the same association is stored."""
    failures: list[bytes] = []

    def sync(fd: int) -> None:
        if failures:
            failures.pop()
            raise OSError(errno.EIO, "told to")
        os.fdatasync(fd)

    running = start(spool={"sync": sync})
    with open_association(running) as association:
        assert association.store(1, SC, "1.1", b"first") == SUCCESS
        failures.append(b"once")
        assert association.store(1, SC, "1.2", b"lost") == OUT_OF_RESOURCES
        assert association.store(1, SC, "1.3", b"third") == SUCCESS
    assert [record.payload for record in running.records(INSTANCE)] == [b"first", b"third"]
    closed = running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert len(running.records(RecordKind.ASSOCIATION_OPENED)) == len(closed) == 1


def test_below_the_watermark_storage_is_rejected_as_transient_and_echo_still_answers(start: Start) -> None:
    """Whatever else is proposed beside it; what is open already gets 0xA700. With room objects go in again."""
    free = [10_000]
    running = start(spool={"refuse_below_free_bytes": 5_000, "free": lambda _: free[0]})
    item = (SC, "1.2.3", EXPLICIT, b"x" * 10)
    with open_association(running) as association:
        free[0] = 0
        assert association.store(1, SC, "1.2.3", b"x") == OUT_OF_RESOURCES
    with pytest.raises(AssociationRejected) as rejected:
        open_association(running)
    assert rejected.value.reason == (2, 3, 2)
    verification = "1.2.840.10008.1.1"
    with RawAssociation(
        "127.0.0.1", running.port, calling="SENDER", called="SENTINODE", contexts=[(verification, [IMPLICIT])]
    ) as association:
        assert association.echo(1) == SUCCESS
    free[0] = 10_000
    eventually(running.writer.has_free_disk)
    assert _send(running, item) == [SUCCESS]
    assert len(running.records(INSTANCE)) == 1


def test_a_full_disk_does_not_fill_the_log(start: Start) -> None:
    """The first object that is refused is named, the others are counted by the end at the latest."""
    free = [10_000]
    running = start(spool={"refuse_below_free_bytes": 5_000, "free": lambda _: free[0]})
    with capture_logs() as logs:
        with open_association(running) as association:
            free[0] = 0
            assert {association.store(1, SC, f"1.{n}", b"x") for n in range(50)} == {OUT_OF_RESOURCES}
        running.receiver.stop(5)
    told = [one for one in logs if one["event"] == "instance_refused" and one["log_level"] != "debug"]
    assert [(one["log_level"], one["peer"]) for one in told] == [("error", "127.0.0.1")] * 2
    assert told[0]["sop_instance_uid"] == "1.0" and told[1]["more"] == 49
    running.receiver.start()  # for the fixture to stop


def test_a_full_disk_is_out_of_resources_until_there_is_room(start: Start, tmpfs: Path) -> None:
    """On a full tmpfs only what is stored is acknowledged, it stays, and receiving goes on with room."""
    ballast = tmpfs / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    running = start(folder=tmpfs / "spool")
    payload = os.urandom(400_000)
    statuses = _send(running, *((SC, f"1.{n}", EXPLICIT, payload) for n in range(12)))
    stored = statuses.count(SUCCESS)
    assert 1 <= stored < 12
    assert statuses == [SUCCESS] * stored + [OUT_OF_RESOURCES] * (12 - stored)
    assert [record.payload for record in running.records(INSTANCE)] == [payload] * stored
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    ballast.unlink()
    assert _send(running, (SC, "2.1", EXPLICIT, payload)) == [SUCCESS]
    assert len(running.records(INSTANCE)) == stored + 1


def test_a_disk_that_is_full_from_the_start_answers_echo_and_recovers(start: Start, tmpfs: Path) -> None:
    """Not even the start can be recorded then; it is recorded before the first instance, as is its association."""
    folder = tmpfs / "spool"
    folder.mkdir()
    ballast = tmpfs / "ballast"
    fill(ballast)
    running = start(folder=folder)
    assert running.records() == []
    with _open_raw(running) as association:
        assert association.store(1, SC, "1.1", b"x") == OUT_OF_RESOURCES
        ballast.unlink()
        assert association.store(1, SC, "1.2", b"x") == SUCCESS
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert [record.kind for record in running.records()] == [
        RecordKind.RECEIVER_STARTED,
        RecordKind.ASSOCIATION_OPENED,
        RecordKind.INSTANCE,
        RecordKind.ASSOCIATION_CLOSED,
    ]


@pytest.mark.parametrize("how", ["abort", "reset"])
def test_an_end_in_the_middle_of_an_object_keeps_the_earlier_ones(start: Start, how: str) -> None:
    """The half object leaves no trace, and the association is recorded as closed."""
    running = start()
    association = _open_raw(running)
    assert association.store(1, SC, "1.1", b"whole") == SUCCESS
    association.send_command(1, 0x0001, SC, "1.2")
    association.send_pdv(1, 0, b"half" * 1000)
    getattr(association, how)()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert [record.payload for record in running.records(INSTANCE)] == [b"whole"]
    assert _send(running, (SC, "1.2", EXPLICIT, b"again")) == [SUCCESS]


def test_a_connection_cut_at_any_byte_keeps_what_was_acknowledged(start: Start) -> None:
    """Wherever in a message the connection ends, the receiver stores the objects before it and goes on."""
    running = start()
    cuts = range(0, 300, 23)
    for cut in cuts:
        association = _open_raw(running)
        assert association.store(1, SC, f"1.{cut}", bytes([cut % 256])) == SUCCESS
        recorder = association.socket
        association.socket = _Recorder()  # type: ignore[assignment]
        association.send_command(1, 0x0001, SC, "9.9")
        association.send_dataset(1, b"never" * 40)
        recorder.sendall(association.socket.data[:cut])  # type: ignore[attr-defined]
        association.socket = recorder
        association.reset()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, len(cuts))
    assert [record.payload for record in running.records(INSTANCE)] == [bytes([cut % 256]) for cut in cuts]


class _Recorder:
    """Stands for a socket and keeps what is sent."""

    def __init__(self) -> None:
        self.data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data


def test_four_associations_at_once_lose_nothing(start: Start) -> None:
    """Every object of every association comes back, and each has an association id of its own."""
    running = start()
    payloads = {name: [os.urandom(1 + 7000 * n) for n in range(8)] for name in range(4)}
    statuses: dict[int, list[int | None]] = {}

    def hammer(name: int) -> None:
        items = ((SC, f"1.{name}.{n}", EXPLICIT, payload) for n, payload in enumerate(payloads[name]))
        statuses[name] = _send(running, *items)

    threads = [threading.Thread(target=hammer, args=(name,)) for name in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == {name: [SUCCESS] * 8 for name in payloads}
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 4)
    records = running.records(INSTANCE)
    assert {record.meta["sop_instance_uid"]: record.payload for record in records} == {
        f"1.{name}.{n}": payload for name in payloads for n, payload in enumerate(payloads[name])
    }
    assert len({record.meta["association_id"] for record in records}) == 4
    for opened in running.records(RecordKind.ASSOCIATION_OPENED):
        own = [r for r in running.records() if r.meta.get("association_id") == opened.meta["association_id"]]
        assert [r.kind for r in own] == [opened.kind, *[INSTANCE] * 8, RecordKind.ASSOCIATION_CLOSED]
