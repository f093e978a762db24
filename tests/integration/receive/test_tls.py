"""DICOM over TLS: who shows no certificate of a peer gets no DICOM PDU, and nothing is answered without TLS."""

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agent.core.errors import Transient
from agent.core.ports import RecordKind
from agent.receive import Peer, TlsListener
from tests.certificates import Authority, Signed
from tests.peers import program
from tests.receivers import EVERYTHING, SC, SUCCESS, Running, Start, eventually, open_association
from tests.senders import EXPLICIT, AssociationRejected, associate_rq

ALL = frozenset[Any]({"store", "echo", "commit"})
MG, CT = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.2"
PEERS = (
    Peer("SENDER", "127.0.0.1", ALL),
    Peer("MAMMO", "127.0.0.1", ALL, r"CN=mammo 1,O=Hospital\, Inc", frozenset({MG})),
    Peer("NAMED", "127.0.0.1", ALL, "scanner.example.org"),
    Peer("AWAY", "192.0.2.1", ALL, "CN=away"),
)
StartTls = Callable[..., Running]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return who signs for everybody of the hospital."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def sender(authority: Authority) -> Signed:
    """Return the certificate of SENDER."""
    return authority.sign("/CN=SENDER")


@pytest.fixture(scope="module")
def server(authority: Authority) -> ssl.SSLContext:
    """Return the receiver's own TLS."""
    return authority.server()


@pytest.fixture
def start_tls(start: Start, server: ssl.SSLContext) -> StartTls:
    """Give a starter of receivers that listen for TLS, too."""

    def start_(**settings: Any) -> Running:
        return start(**({"peers": PEERS, "tls": TlsListener("127.0.0.1", 0, server)} | settings))

    return start_


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_peer_with_its_certificate_stores(
    start_tls: StartTls, authority: Authority, sender: Signed, version: ssl.TLSVersion
) -> None:
    """With TLS 1.2 and 1.3, beside a listener without TLS."""
    running = start_tls()
    with open_association(running, tls=authority.client(sender, version=version)) as association:
        assert isinstance(association.socket, ssl.SSLSocket)
        assert association.socket.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert association.store(1, SC, "1.2", b"x" * 100_000) == SUCCESS
        assert association.echo(3) == SUCCESS
    with open_association(running) as association:
        assert association.store(1, SC, "1.3", b"y") == SUCCESS
    assert len(running.records(RecordKind.INSTANCE)) == 2


def test_the_best_version_is_taken(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """TLS 1.3 where both have it."""
    with open_association(start_tls(), tls=authority.client(sender)) as association:
        assert isinstance(association.socket, ssl.SSLSocket) and association.socket.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("calling", "subject", "names"),
    [
        ("MAMMO", "/O=Hospital, Inc/CN=mammo 1", ""),
        ("NAMED", "/CN=any", "DNS:scanner.example.org"),
        ("NAMED", "/CN=scanner.example.org", ""),
    ],
)
def test_a_certificate_is_bound_to_an_ae_title(
    start_tls: StartTls, authority: Authority, calling: str, subject: str, names: str
) -> None:
    """By its whole subject, or one of its names; under another title it is refused."""
    running = start_tls()
    tls = authority.client(authority.sign(subject, names=names))
    with open_association(running, calling=calling, tls=tls, contexts=[(MG, [EXPLICIT])]) as association:
        assert association.store(1, MG, "1.2", b"x") == SUCCESS
    with pytest.raises(AssociationRejected) as rejected:
        open_association(running, calling="SENDER", tls=tls)
    assert rejected.value.reason == (1, 1, 3)


def test_there_may_be_tls_alone(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """One port, and the one without TLS is not there."""
    running = start_tls(port=None)
    with open_association(running, tls=authority.client(sender)) as association:
        assert association.store(1, SC, "1.2", b"x") == SUCCESS
    assert [bool(server.tls) for server in running.receiver._servers] == [True]
    with pytest.raises(Transient, match="without TLS"):
        _ = running.port


@pytest.mark.parametrize("calling", ["MAMMO", "NAMED"])
@pytest.mark.parametrize("accept_from", ["listed", "any"])
def test_a_title_that_is_bound_to_a_certificate_does_nothing_without_tls(
    start_tls: StartTls, calling: str, accept_from: str
) -> None:
    """Not even where any other title may call."""
    with pytest.raises(AssociationRejected) as rejected:
        open_association(start_tls(accept_from=accept_from), calling=calling)
    assert rejected.value.reason == (1, 1, 3)


def test_anyone_with_a_certificate_of_the_authority_may_call_where_the_settings_say_so(
    start_tls: StartTls, authority: Authority
) -> None:
    """Whatever its names."""
    tls = authority.client(authority.sign("/CN=nobody we know"))
    with open_association(start_tls(accept_from="any", peers=()), calling="NEW", tls=tls) as association:
        assert association.echo(3) == SUCCESS


def test_a_peer_stores_what_it_may(start_tls: StartTls, authority: Authority) -> None:
    """Other storage SOP classes get no presentation context, and are not smuggled in over one that did."""
    running = start_tls()
    tls = authority.client(authority.sign("/O=Hospital, Inc/CN=mammo 1"))
    for more in ([], [EVERYTHING[2]]):  # the lane, and pynetdicom's way
        contexts = [(MG, [EXPLICIT]), (CT, [EXPLICIT]), EVERYTHING[1], *more]
        with open_association(running, calling="MAMMO", tls=tls, contexts=contexts) as association:
            assert set(association.accepted) == {1, 5} | ({7} if more else set())
            assert association.store(1, CT, "1.2", b"smuggled") == 0x0122
            assert association.store(1, MG, "1.3", b"mammogram") == SUCCESS
            assert association.echo(5) == SUCCESS
    assert [record.payload for record in running.records(RecordKind.INSTANCE)] == [b"mammogram"] * 2


Stranger = Callable[[Authority, Path], ssl.SSLContext]
STRANGERS: dict[str, tuple[Stranger, str]] = {
    "without a certificate": (lambda ours, _: ours.client(None), "peer did not return a certificate"),
    "expired": (lambda ours, _: ours.client(ours.sign("/CN=SENDER", days=-1)), "certificate has expired"),
    "of another authority": (
        lambda ours, folder: _trusting(ours, Authority(folder / "other", "Other CA").sign("/CN=SENDER")),
        "unable to get local issuer certificate",
    ),
    "signed by itself": (lambda ours, folder: _trusting(ours, _self_signed(folder)), "self-signed certificate"),
    "of no peer": (lambda ours, _: ours.client(ours.sign("/CN=STRANGER")), "a certificate of no peer"),
    "of a peer elsewhere": (lambda ours, _: ours.client(ours.sign("/CN=away")), "a certificate of no peer"),
    "TLS 1.1": (
        lambda ours, _: ours.client(ours.sign("/CN=SENDER"), version=ssl.TLSVersion.TLSv1_1),
        "unsupported protocol",
    ),
    "TLS 1.0": (
        lambda ours, _: ours.client(ours.sign("/CN=SENDER"), version=ssl.TLSVersion.TLSv1),
        "unsupported protocol",
    ),
}


def _trusting(ours: Authority, own: Signed) -> ssl.SSLContext:
    return ours.client(own)


def _self_signed(folder: Path) -> Signed:
    alone = Authority(folder / "alone", "SENDER")
    return Signed(alone.ca, alone.folder / "ca.key")


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # of versions that nobody should use
def test_others_get_no_dicom_pdu(start_tls: StartTls, authority: Authority, tmp_path: Path, name: str) -> None:
    """Not one byte is answered within TLS, the reason is logged, and no record is left."""
    stranger, reason = STRANGERS[name]
    running = start_tls()
    context = stranger(authority, tmp_path)
    with capture_logs() as logs:
        assert _answer(running.receiver.tls_port, context) == b""
        eventually(lambda: any(entry["event"] == "tls_refused" for entry in logs))
    assert [entry["reason"] for entry in logs if entry["event"] == "tls_refused"] == [reason]
    assert [record.kind for record in running.records()] == [RecordKind.RECEIVER_STARTED]
    assert running.receiver.associations == []


def _answer(port: int, context: ssl.SSLContext) -> bytes:
    """Return what is answered to an association request within TLS."""
    data = b""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.sendall(associate_rq("SENDER", "SENTINODE", EVERYTHING, {}))
            while part := connection.recv(4096):
                data += part
    except (ssl.SSLError, ConnectionError):
        return data
    return data


def test_an_address_of_no_peer_gets_no_handshake(start_tls: StartTls) -> None:
    """It is closed unread, as on the other port: a handshake costs more than a connection."""
    running = start_tls()
    with capture_logs() as logs:
        with socket.create_connection(("127.0.0.1", running.receiver.tls_port), 10, ("127.0.0.9", 0)) as connection:
            assert connection.recv(1) == b""
        eventually(lambda: bool(logs))
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("connection_refused", "an address of no peer")]


def test_without_tls_nothing_is_answered_there(start_tls: StartTls) -> None:
    """A plain association request gets TLS's alert at most, and the connection ends."""
    running = start_tls()
    with socket.create_connection(("127.0.0.1", running.receiver.tls_port), 10) as connection:
        connection.sendall(associate_rq("SENDER", "SENTINODE", EVERYTHING, {}))
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer == b"" or (answer[0] == 0x15 and len(answer) == 7)  # RFC 8446 section 6: an alert
    assert [record.kind for record in running.records()] == [RecordKind.RECEIVER_STARTED]


def test_a_handshake_that_stalls_holds_nobody_up_and_ends(
    start_tls: StartTls, authority: Authority, sender: Signed
) -> None:
    """Twenty that say nothing, and twenty that stop in the middle: others are served at once."""
    running = start_tls(pdu_timeout_s=1.5)
    port = running.receiver.tls_port
    stalled = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(40)]
    for connection in stalled[20:]:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
    begun = time.monotonic()
    with open_association(running, tls=authority.client(sender)) as association:
        assert association.echo(3) == SUCCESS
    assert time.monotonic() - begun < 1.5
    eventually(lambda: running.receiver.waiting == 0)
    assert time.monotonic() - begun < 6
    for connection in stalled:
        connection.close()


def test_no_session_is_taken_up_again(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """Each association shows its certificate."""
    running = start_tls()
    context = authority.client(sender)
    with open_association(running, tls=context) as association:
        assert isinstance(association.socket, ssl.SSLSocket)
        assert association.echo(3) == SUCCESS
        session = association.socket.session
        assert session is None or not session.has_ticket


def test_dcmtk_sends_over_tls(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """Its echoscu, with the profile of BCP 195 without downgrading; without a certificate it gets nothing."""
    running = start_tls()
    where = ["-aet", "SENDER", "-aec", "SENTINODE", "127.0.0.1", str(running.receiver.tls_port)]
    trust = ["+cf", str(authority.ca), "-ic"]
    command = [program("echoscu"), "+tls", str(sender.key), str(sender.certificate), *trust, *where]
    subprocess.run(command, check=True, timeout=30)
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    anonymous = subprocess.run([program("echoscu"), "+tla", *trust, *where], timeout=30, capture_output=True)
    assert anonymous.returncode != 0
    assert len(running.records(RecordKind.ASSOCIATION_OPENED)) == 1


def test_a_large_object_over_tls_is_what_was_sent(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """Also where pynetdicom serves the association."""
    running = start_tls()
    data = os.urandom(3_000_001)
    for contexts in (EVERYTHING[:2], EVERYTHING):
        with open_association(running, tls=authority.client(sender), contexts=contexts) as association:
            assert association.store(1, SC, "1.2", data) == SUCCESS
    assert [record.payload for record in running.records(RecordKind.INSTANCE)] == [data, data]


def test_both_listeners_share_the_limits(start_tls: StartTls, authority: Authority, sender: Signed) -> None:
    """What is open over one counts for the other."""
    running = start_tls(max_associations=1)
    with open_association(running, tls=authority.client(sender)):
        with pytest.raises(AssociationRejected) as rejected:
            open_association(running)
        assert rejected.value.reason == (2, 3, 2)
