"""Who may associate, what is negotiated, and how associations end."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary
from pynetdicom import AE, build_role
from pynetdicom.dsutils import decode
from structlog.testing import capture_logs

from agent.core.errors import Transient
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.ports import RecordKind
from agent.receive import Peer, Receiver, ReceiverSettings
from agent.spool import SpoolReader, SpoolWriter
from tests.fakes.spool import NOW
from tests.peers import ROOT, program
from tests.receivers import SETTINGS, Running
from tests.senders import (
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    AssociationAborted,
    AssociationRejected,
    RawAssociation,
    send_raw,
)

Start = Callable[..., Running]
SC = "1.2.840.10008.5.1.4.1.1.7"
COMMITMENT = "1.2.840.10008.1.20.1"
SUCCESS, NOT_AUTHORIZED = 0x0000, 0x0124
EVERYTHING = [(SC, [EXPLICIT]), (VERIFICATION, [IMPLICIT]), (COMMITMENT, [IMPLICIT])]


def _open(
    running: Running,
    *,
    calling: str = "SENDER",
    called: str = "SENTINODE",
    contexts: list[tuple[str, list[str]]] | None = None,
    roles: dict[str, tuple[int, int]] | None = None,
) -> RawAssociation:
    return RawAssociation(
        "127.0.0.1", running.port, calling=calling, called=called, contexts=contexts or EVERYTHING, roles=roles
    )


def test_echoscu_is_answered(start: Start) -> None:
    """DCMTK's C-ECHO succeeds, and leaves an association opened and closed."""
    running = start()
    command = [program("echoscu"), "-aet", "SENDER", "-aec", "SENTINODE", "127.0.0.1", str(running.port)]
    subprocess.run(command, check=True, timeout=30)
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    started, opened, closed = running.records()
    assert started.kind is RecordKind.RECEIVER_STARTED
    assert opened.meta == {
        "association_id": f"{started.meta['run_id']}/1",
        "calling_ae_title": "SENDER",
        "called_ae_title": "SENTINODE",
        "peer": "127.0.0.1",
    }
    assert closed.meta == {"association_id": opened.meta["association_id"]}


@pytest.mark.parametrize(
    ("called", "calling", "diagnostic"),
    [("OTHER", "SENDER", 7), ("SENTINODE", "STRANGER", 3), ("SENTINODE", "ELSEWHERE", 3), ("sentinode", "SENDER", 7)],
)
def test_strangers_are_rejected(start: Start, called: str, calling: str, diagnostic: int) -> None:
    """Called AE title, calling AE title and address must all fit; a rejected caller leaves no record."""
    running = start()
    with pytest.raises(AssociationRejected) as rejected:
        _open(running, called=called, calling=calling)
    assert rejected.value.reason == (1, 1, diagnostic)
    assert [record.kind for record in running.records()] == [RecordKind.RECEIVER_STARTED]


def test_anyone_is_accepted_where_the_settings_say_so(start: Start) -> None:
    """Except under another called AE title."""
    running = start(accept_from="any", peers=())
    assert send_raw("127.0.0.1", running.port, "STRANGER", "SENTINODE", [(SC, "1.2", EXPLICIT, b"x")]) == [SUCCESS]
    with pytest.raises(AssociationRejected):
        _open(running, calling="STRANGER", called="OTHER")


@pytest.mark.parametrize(
    ("calling", "store", "echo", "commit"),
    [
        ("SENDER", SUCCESS, SUCCESS, SUCCESS),
        ("ECHOER", NOT_AUTHORIZED, SUCCESS, NOT_AUTHORIZED),
        ("STORER", SUCCESS, NOT_AUTHORIZED, NOT_AUTHORIZED),
    ],
)
def test_each_message_must_be_allowed(start: Start, calling: str, store: int, echo: int, commit: int) -> None:
    """What a peer may not do is answered Not Authorized and leaves nothing."""
    running = start()
    with _open(running, calling=calling) as association:
        assert association.store(1, SC, "1.2", b"x") == store
        assert association.echo(3) == echo
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == commit
    assert len(running.records(RecordKind.INSTANCE)) == (store == SUCCESS)
    assert len(running.records(RecordKind.EVENT_REPORT)) == (commit == SUCCESS)


def test_every_storage_sop_class_and_transfer_syntax_is_stored(start: Start) -> None:
    """What pydicom names, current and retired, and the newest syntaxes by UID."""
    running = start()
    classes = [
        uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and name.find("Storage") >= 0
    ]
    others = {"1.2.840.10008.1.3.10", COMMITMENT, "1.2.840.10008.1.20.2"}  # DICOMDIR, storage commitment
    syntaxes = [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
    syntaxes += [
        "1.2.840.10008.1.2.8.1",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.111",
        "1.2.840.10008.1.2.4.112",
    ]
    items = [(uid, f"1.{n}", EXPLICIT, b"x") for n, uid in enumerate(classes) if uid not in others]
    items += [(SC, f"2.{n}", uid, b"x") for n, uid in enumerate(dict.fromkeys(syntaxes))]
    assert len(items) > 260
    for at in range(0, len(items), 100):
        part = items[at : at + 100]
        assert send_raw("127.0.0.1", running.port, "SENDER", "SENTINODE", part) == [SUCCESS] * len(part)
    records = running.records(RecordKind.INSTANCE)
    assert [(r.meta["sop_class_uid"], r.meta["sop_instance_uid"], r.meta["transfer_syntax_uid"]) for r in records] == [
        item[:3] for item in items
    ]


def test_what_is_no_storage_is_refused_at_negotiation(start: Start) -> None:
    """Queries, private classes and unknown transfer syntaxes get no presentation context; the rest does."""
    running = start()
    query = "1.2.840.10008.5.1.4.1.2.2.1"
    contexts = [(query, [IMPLICIT]), ("1.2.3.4", [IMPLICIT]), (SC, ["1.2.3.5"]), (SC, [EXPLICIT]), (SC, [IMPLICIT])]
    with _open(running, contexts=contexts) as association:
        assert association.accepted == {7: EXPLICIT, 9: IMPLICIT}


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([EXPLICIT, IMPLICIT], EXPLICIT),
        (["1.2.840.10008.1.2.4.80", EXPLICIT, IMPLICIT], "1.2.840.10008.1.2.4.80"),
        (["1.2.840.10008.1.2.2", IMPLICIT, EXPLICIT], "1.2.840.10008.1.2.2"),
        ([IMPLICIT, "1.2.840.10008.1.2.4.50"], IMPLICIT),
        ([IMPLICIT, "1.2.840.10008.1.2.4.50", EXPLICIT], EXPLICIT),
        (["9.9.9", "1.2.840.10008.1.2.4.112"], "1.2.840.10008.1.2.4.112"),
    ],
)
def test_the_senders_order_decides(start: Start, offered: list[str], taken: str) -> None:
    """Its first supported transfer syntax is taken, but never implicit where it offers explicit."""
    with _open(start(), contexts=[(SC, offered)]) as association:
        assert association.accepted == {1: taken}


@pytest.mark.parametrize("service", [VERIFICATION, COMMITMENT])
def test_services_without_objects_speak_little_endian(start: Start, service: str) -> None:
    """Big endian, deflated and compressed transfer syntaxes are for objects, not for verification and commitment."""
    jpeg, big_endian, deflated = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
    contexts = [(uid, [syntax]) for uid in (service, SC) for syntax in (jpeg, big_endian, deflated)]
    contexts.append((service, [jpeg, EXPLICIT]))
    with _open(start(), contexts=contexts) as association:
        assert association.accepted == {7: jpeg, 9: big_endian, 11: deflated, 13: EXPLICIT}


def test_a_commitment_result_is_recorded_as_it_came(start: Start) -> None:
    """A PACS opens an association as SCP by role selection and reports; the dataset is kept, not decoded."""
    running = start()
    contexts = [(COMMITMENT, [EXPLICIT, IMPLICIT])]
    with _open(running, contexts=contexts, roles={COMMITMENT: (0, 1)}) as association:
        assert association.roles == {COMMITMENT: (0, 1)}
        assert association.event_report(1, COMMITMENT, COMMITMENT + ".1", 2, b"no dataset") == SUCCESS
    (record,) = running.records(RecordKind.EVENT_REPORT)
    (opened,) = running.records(RecordKind.ASSOCIATION_OPENED)
    assert record.payload == b"no dataset"
    assert record.meta == {
        "association_id": opened.meta["association_id"],
        "event_type_id": "2",
        "transfer_syntax_uid": EXPLICIT,
    }


def test_the_acceptor_says_who_it_is(start: Start) -> None:
    """An accepted association carries the implementation that the files carry."""
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", start().port, ae_title="SENTINODE")
    acceptor = association.acceptor
    association.release()
    assert acceptor.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert acceptor.implementation_version_name == IMPLEMENTATION_VERSION_NAME


def test_pynetdicom_reports_commitment(start: Start) -> None:
    """Another implementation's N-EVENT-REPORT over an association of its own."""
    running = start()
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(COMMITMENT, IMPLICIT)
    role = build_role(COMMITMENT, scp_role=True)
    association = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE", ext_neg=[role])
    assert association.is_established
    ds = Dataset()
    ds.TransactionUID = "1.2.3.4"
    status, _ = association.send_n_event_report(ds, 1, COMMITMENT, COMMITMENT + ".1")
    association.release()
    assert status.Status == SUCCESS
    (record,) = running.records(RecordKind.EVENT_REPORT)
    assert decode(BytesIO(record.payload), True, True).TransactionUID == "1.2.3.4"


def test_an_event_report_that_cannot_be_kept_is_a_resource_limitation(start: Start) -> None:
    """The PACS then reports again."""
    failing = [False]

    def sync(fd: int) -> None:
        if failing[0]:
            raise OSError(5, "told to")
        os.fdatasync(fd)

    running = start(spool={"sync": sync})
    with _open(running) as association:
        failing[0] = True
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == 0x0213
        failing[0] = False
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == SUCCESS
    assert len(running.records(RecordKind.EVENT_REPORT)) == 1


def test_other_event_reports_and_commitment_requests_are_refused(start: Start) -> None:
    """Only results of storage commitment are taken, and none is given."""
    running = start()
    with _open(running) as association:
        assert association.event_report(1, COMMITMENT, COMMITMENT + ".1", 1, b"") == 0x0118
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(COMMITMENT, IMPLICIT)
    requestor = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE")
    ds = Dataset()
    ds.TransactionUID = "1.2.3.4"
    status, _ = requestor.send_n_action(ds, 1, COMMITMENT, COMMITMENT + ".1")
    requestor.release()
    assert status.Status == 0x0211
    assert running.records(RecordKind.EVENT_REPORT) == []


def test_an_end_that_cannot_be_recorded_is_recorded_later(start: Start) -> None:
    """An association is never left open in the spool while the receiver lives."""
    failing = [False]

    def sync(fd: int) -> None:
        if failing[0]:
            raise OSError(5, "told to")
        os.fdatasync(fd)

    running = start(spool={"sync": sync})
    association = _open(running)
    assert association.store(1, SC, "1.2", b"x") == SUCCESS
    failing[0] = True
    association.release()
    _wait(lambda: not running.receiver._running().active_associations)
    assert running.records(RecordKind.ASSOCIATION_CLOSED) == []
    failing[0] = False
    (closed,) = running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert closed.meta == {"association_id": running.records(RecordKind.INSTANCE)[0].meta["association_id"]}


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_more_associations_than_allowed(start: Start) -> None:
    """The next one is rejected as transient, local limit exceeded, until another ends."""
    running = start(max_associations=2)
    first, second = _open(running), _open(running)
    with pytest.raises(AssociationRejected) as rejected:
        _open(running)
    assert rejected.value.reason == (2, 3, 2)
    first.release()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    _wait(lambda: len(running.receiver._running().active_associations) < 2)
    _open(running).release()
    second.release()


def test_small_answers_are_not_delayed(start: Start) -> None:
    """Nagle is off on accepted connections."""
    running = start()
    with _open(running):
        (association,) = running.receiver._running().active_associations
        accepted = association.dul.socket.socket
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def _closed_within(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">BBI", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 4, 0, 1 << 20),
        struct.pack(">BBI", 5, 0, 1 << 16),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_pdu_longer_than_allowed_is_not_read(start: Start, header: bytes) -> None:
    """The connection is closed at once, whatever length the header claims; others are served."""
    running = start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(header)
        assert _closed_within(connection, 8)
    with _open(running) as association:
        association.socket.sendall(header)
        assert _closed_within(association.socket, 8)
        association.socket.close()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


@pytest.mark.parametrize("beginning", [b"", b"\1\0\0", struct.pack(">BBI", 1, 0, 300) + b"x" * 10])
def test_a_connection_that_falls_silent_is_closed(start: Start, beginning: bytes) -> None:
    """Before a request, within a header, within a body: after the PDU timeout."""
    running = start(pdu_timeout_s=0.5)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(beginning)
        assert not select.select([connection], [], [], 0.2)[0]
        assert _closed_within(connection, 8)


def test_a_pdu_that_drips_is_cut_off(start: Start) -> None:
    """A byte now and then does not prolong the deadline."""
    running = start(pdu_timeout_s=0.6)
    association = _open(running)
    begun = time.monotonic()
    association.socket.sendall(struct.pack(">BBI", 4, 0, 1000))
    with pytest.raises(ConnectionError):
        _drip(association.socket, begun + 8)
    assert 0.6 <= time.monotonic() - begun < 5
    association.socket.close()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def _drip(connection: socket.socket, until: float) -> None:
    while time.monotonic() < until:
        connection.sendall(b"x")
        time.sleep(0.02)


def test_connections_that_ask_for_nothing_take_no_place(start: Start) -> None:
    """Callers that connect and close do not count against the limit."""
    running = start(max_associations=2)
    for _ in range(20):
        socket.create_connection(("127.0.0.1", running.port), timeout=10).close()
    _wait(lambda: not running.receiver._running().active_associations)
    with _open(running) as association:
        assert association.echo(3) == SUCCESS


def test_an_idle_association_is_aborted(start: Start) -> None:
    """After the idle timeout, and recorded as closed."""
    running = start(idle_timeout_s=0.5)
    association = _open(running)
    assert association.read_pdu()[0] == 7
    association.socket.close()
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)


def test_stopping_lets_open_associations_finish(tmp_path: Path) -> None:
    """No new ones meanwhile; when all have ended it does not wait longer."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(SETTINGS, writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    port = running.port
    association = _open(running)
    stopping = threading.Thread(target=receiver.stop, args=(30,))
    begun = time.monotonic()
    stopping.start()
    _wait(lambda: not _listens(port))
    assert association.store(1, SC, "1.2", b"x") == SUCCESS
    association.release()
    stopping.join(20)
    assert time.monotonic() < begun + 20
    writer.close()
    assert len(running.records(RecordKind.INSTANCE)) == len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_stopping_aborts_what_does_not_finish(tmp_path: Path) -> None:
    """The peer gets an abort, and the end is in the spool when stop returns."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(SETTINGS, writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    association = _open(running)
    receiver.stop(0.1)
    writer.close()
    assert association.read_pdu()[0] == 7
    association.socket.close()
    assert len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1
    with pytest.raises(Transient, match="not running"):
        _ = receiver.port


def test_stopping_cuts_off_a_sender_that_stalls_within_a_pdu(tmp_path: Path) -> None:
    """Stop does not wait for the rest of the PDU, and nothing of the object is kept."""
    writer = SpoolWriter(tmp_path / "spool", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    receiver = Receiver(replace(SETTINGS, pdu_timeout_s=60), writer)
    receiver.start()
    running = Running(receiver, writer, tmp_path / "spool")
    association = _open(running)
    association.send_command(1, 0x0001, SC, "1.2")
    association.socket.sendall(b"\x04\x00" + (5000).to_bytes(4, "big") + b"half")
    begun = time.monotonic()
    receiver.stop(0.1)
    assert time.monotonic() < begun + 20
    writer.close()
    association.socket.close()
    assert running.records(RecordKind.INSTANCE) == []
    assert len(running.records(RecordKind.ASSOCIATION_CLOSED)) == 1


def test_a_port_in_use_is_one_clear_error(start: Start, tmp_path: Path) -> None:
    """It names address and port."""
    port = start().port
    writer = SpoolWriter(tmp_path / "other", limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW)
    settings = ReceiverSettings("SENTINODE", "127.0.0.1", port, ())
    with pytest.raises(Transient, match=f"127.0.0.1:{port}"):
        Receiver(settings, writer).start()
    writer.close()


def test_a_host_that_is_no_address_is_refused() -> None:
    """Names would have to be looked up while a caller waits."""
    with pytest.raises(ValueError, match="pacs"):
        Peer("PACS", "pacs.example.org", frozenset({"store"}))


def test_logs_hold_ids_only(start: Start) -> None:
    """A patient's name in an object reaches no log."""
    running = start()
    canary = b"\x10\x00\x10\x00PN\x0c\x00CANARY^Joan "
    with capture_logs() as logs:
        assert send_raw("127.0.0.1", running.port, "SENDER", "SENTINODE", [(SC, "1.2", EXPLICIT, canary)]) == [SUCCESS]
        running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert [entry["event"] for entry in logs] == ["instance_stored"]
    assert "CANARY" not in str(logs)


RECEIVER = """
import sys, threading
from datetime import datetime, timezone
from pathlib import Path
from agent.receive import Receiver, ReceiverSettings
from agent.spool import SpoolWriter
writer = SpoolWriter(Path(sys.argv[1]), limit_bytes=1 << 27, refuse_below_free_bytes=0,
                     now=lambda: datetime.now(timezone.utc))
receiver = Receiver(ReceiverSettings("SENTINODE", "127.0.0.1", 0, (), accept_from="any"), writer)
receiver.start()
print(receiver.port, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("point", "answered", "kept"),
    [
        ("receive.association_accepted:1", 0, 0),
        ("spool.after_append:4", 1, 2),  # after receiver started, association opened and the first instance
        ("spool.after_sync:4", 1, 2),
        ("receive.after_success:2", 2, 2),
    ],
)
def test_a_killed_receiver_loses_nothing_it_acknowledged(tmp_path: Path, point: str, answered: int, kept: int) -> None:
    """Kill -9 at each boundary: after a restart all that was answered Success is there, and at most one more."""
    folder = tmp_path / "spool"
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SENTINODE_TEST_KILL_AT": point},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        port = next(int(line) for line in process.stdout if line.strip().isdigit())
        got = _store_until_killed(port)
        assert process.wait(30) == -signal.SIGKILL
    assert got == answered
    SpoolWriter(folder, limit_bytes=1 << 27, refuse_below_free_bytes=0, now=lambda: NOW).close()
    records = list(SpoolReader(folder).after({}))
    payloads = [record.payload for record in records if record.kind is RecordKind.INSTANCE]
    assert payloads == [bytes([n]) * 100_000 for n in range(kept)]
    assert [record.kind for record in records].count(RecordKind.ASSOCIATION_CLOSED) == 0


def _store_until_killed(port: int) -> int:
    association = None
    answered = 0
    try:
        association = RawAssociation(
            "127.0.0.1", port, calling="SENDER", called="SENTINODE", contexts=[(SC, [EXPLICIT])]
        )
        for number in range(5):
            assert association.store(1, SC, f"1.{number}", bytes([number]) * 100_000) == SUCCESS
            answered += 1
    except (AssociationAborted, ConnectionError):
        return answered
    finally:
        if association is not None:
            association.socket.close()
    raise AssertionError("the receiver was not killed")


def test_the_receiver_imports_no_database_and_no_torch() -> None:
    """It starts quickly and decodes nothing: what it does not import it cannot use."""
    code = "import sys, agent.receive, agent.spool; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    loaded = set(done.stdout.decode().split())
    assert {"agent.receive", "pynetdicom"} <= loaded
    assert not loaded & {"sqlalchemy", "torch", "onnxruntime", "highdicom", "apscheduler"}
