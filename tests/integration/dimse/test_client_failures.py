"""The client against peers that misbehave, over real sockets."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.dimse.association import Peer, association
from agent.dimse.client import PacsClient
from agent.dimse.part10 import split
from demo.archive import Archive, Switches
from demo.own_archive import OwnArchive
from demo.pacs_process import free_port
from tests.archives import AGENT, QUICK, client
from tests.fakes.objects import COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, one_result, part10
from tests.scripted_scp import SHORT

PARTS = [o.encoded for o in one_result(1)]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever fails, the association's threads end."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def test_outgoing_sockets_do_not_wait_for_full_packets(tmp_path: Path) -> None:
    """Nagle is off and no read or write blocks for ever."""
    with Archive("ARCHIVE", tmp_path) as archive:
        peer = Peer(AGENT, "ARCHIVE", "127.0.0.1", archive.port, QUICK, 0)
        with association(peer, [build_context(Verification)]) as opened:
            connected = opened.dul.socket.socket  # type: ignore[union-attr]
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1  # type: ignore[union-attr]
            assert connected.gettimeout() == QUICK.pdu_s  # type: ignore[union-attr]


def test_answers_before_an_abort_stand(tmp_path: Path) -> None:
    """A peer that dies after two objects has stored two, and the third is an error."""
    with Archive("ARCHIVE", tmp_path, switches=Switches(die_after=2)) as archive:
        outcomes = client("ARCHIVE", archive.port).store(PARTS)
        assert [next(outcomes).status, next(outcomes).status] == [0, 0]
        with pytest.raises(Transient, match="no response to C-STORE") as failed:
            next(outcomes)
        assert not isinstance(failed.value, Unreachable)
        with pytest.raises(Unreachable):
            client("ARCHIVE", archive.port).echo()
        archive.switches.die_after = None
        assert [o.status for o in client("ARCHIVE", archive.port).store(PARTS)] == [0] * 4


def test_abort_between_two_objects_is_noticed(tmp_path: Path) -> None:
    """A peer that ends the association while the caller is busy: the next object is an error, not a hang."""
    with Archive("ARCHIVE", tmp_path) as archive:
        outcomes = client("ARCHIVE", archive.port).store(PARTS)
        next(outcomes)
        for open_association in archive._server.active_associations:
            open_association.abort()
        with pytest.raises(Transient):
            next(outcomes)


def test_response_that_does_not_come_is_waited_for_as_long_as_set(tmp_path: Path) -> None:
    """A peer that hangs after the data costs the response timeout, no more."""
    with Archive("ARCHIVE", tmp_path, switches=Switches(delay_s=1.5)) as archive:
        began = time.monotonic()
        with pytest.raises(Transient, match="no response"):
            list(client("ARCHIVE", archive.port, SHORT).store(PARTS))
        assert time.monotonic() - began < 1.4


def test_peer_that_stops_reading_does_not_hold_us(tmp_path: Path) -> None:
    """A stopped process with full socket buffers: our write is bounded."""
    big = split(part10(SECONDARY_CAPTURE, "2.25.7"))
    encoded = part10(SECONDARY_CAPTURE, "2.25.7") + b"\x00" * 12_000_000
    assert len(split(encoded).dataset) == len(big.dataset) + 12_000_000
    pacs = OwnArchive(tmp_path, "ARCHIVE", free_port(), {})
    with pacs:
        outcomes = client("ARCHIVE", pacs.port, SHORT).store([PARTS[0], encoded])
        assert next(outcomes).status == 0
        assert pacs.pid is not None
        os.kill(pacs.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(Transient):
                next(outcomes)
            assert time.monotonic() - began < 8
        finally:
            os.kill(pacs.pid, signal.SIGCONT)


def test_peer_that_never_answers_the_association_request_is_unreachable() -> None:
    """A listener that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unreachable, match="no answer"):
        client("SILENT", silent.getsockname()[1], SHORT).echo()


def test_unknown_host_is_unreachable() -> None:
    """A name that cannot be resolved is a matter of configuration or of the network."""
    with pytest.raises(Unreachable, match="256"):
        PacsClient(AGENT, "PACS", "256.256.256.256", 104).echo()


def serving(handlers: list[tuple[evt.EventType, object]], *sop_classes: str):  # type: ignore[no-untyped-def]
    """Start a peer that serves some SOP classes with some handlers; returns the server."""
    ae = AE(ae_title="PEER")
    for sop_class in sop_classes:
        ae.add_supported_context(sop_class)
    return ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]


FIND, COMMITMENT = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.20.1"


@pytest.mark.parametrize("status", [0xA700, 0xC001])
def test_query_that_fails_is_no_answer(status: int) -> None:
    """A failure status is an error, never "not there"."""
    server = serving([(evt.EVT_C_FIND, lambda event: iter([(status, None)]))], FIND)
    try:
        with pytest.raises(Transient, match=f"0x{status:04X}"):
            client("PEER", server.server_address[1]).has("1", "2", "3")
    finally:
        server.shutdown()


def test_answers_for_other_instances_are_not_taken_for_ours() -> None:
    """A peer that ignores the unique key and lists the whole series does not confirm what it lacks."""

    def whole_series(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for uid in ("1.2.3", "1.2.4"):
            match = Dataset()
            match.SOPInstanceUID = uid
            yield 0xFF00, match

    server = serving([(evt.EVT_C_FIND, whole_series)], FIND)
    try:
        peer = client("PEER", server.server_address[1])
        assert peer.has("1", "2", "1.2.4")
        assert not peer.has("1", "2", "1.2.5")
    finally:
        server.shutdown()


def test_services_that_the_peer_does_not_offer_are_told_apart() -> None:
    """No query: tried again, it is asked for in the configuration. No commitment: never."""
    server = serving([], "1.2.840.10008.1.1")
    try:
        peer = client("PEER", server.server_address[1])
        peer.echo()
        with pytest.raises(Transient, match="none of the presentation contexts"):
            peer.has("1", "2", "3")
        with pytest.raises(Permanent, match="no storage commitment"):
            peer.request_commitment("2.25.1", [("1.2", "1.2.3")])
    finally:
        server.shutdown()


def test_commitment_request_that_fails_is_tried_again() -> None:
    """N-ACTION with a failure status."""
    server = serving([(evt.EVT_N_ACTION, lambda event: (0x0213, None))], COMMITMENT)
    try:
        with pytest.raises(Transient, match="0x0213"):
            client("PEER", server.server_address[1]).request_commitment("2.25.1", [("1.2", "1.2.3")])
    finally:
        server.shutdown()


def test_echo_that_fails_is_an_error() -> None:
    """C-ECHO with another status than success."""
    server = serving([(evt.EVT_C_ECHO, lambda event: 0x0122)], "1.2.840.10008.1.1")
    try:
        with pytest.raises(Transient, match="0x0122"):
            client("PEER", server.server_address[1]).echo()
    finally:
        server.shutdown()


def test_the_requestor_says_who_it_is() -> None:
    """An association request carries the implementation that the files carry."""
    seen: list[tuple[str | None, str | None]] = []

    def note(event: evt.Event) -> None:
        requestor = event.assoc.requestor
        seen.append((requestor.implementation_class_uid, requestor.implementation_version_name))

    server = serving([(evt.EVT_ACCEPTED, note)], "1.2.840.10008.1.1")
    try:
        client("PEER", server.server_address[1]).echo()
    finally:
        server.shutdown()
    assert seen == [(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)]


def test_incomplete_file_meta_is_permanent() -> None:
    """A Part 10 file that does not say its transfer syntax cannot be sent."""
    encoded = part10(COMPREHENSIVE_3D_SR, "2.25.7")
    without = encoded.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI")
    assert without != encoded
    with pytest.raises(Permanent, match="TransferSyntaxUID"):
        split(without)


def test_no_identifier_and_no_patient_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pynetdicom at DEBUG logs neither query nor answer."""
    caplog.set_level(logging.DEBUG, logger="pynetdicom")
    one = one_result(1)[0]
    with Archive("ARCHIVE", tmp_path) as archive:
        peer = client("ARCHIVE", archive.port)
        list(peer.store([one.encoded]))
        assert peer.has(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
    assert caplog.text
    assert "Phantom" not in caplog.text
    assert one.study_instance_uid not in caplog.text
