"""A running receiver and any bytes, before and within an association: it ends each in time and serves the next."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.ports import RecordKind
from agent.receive import Receiver
from agent.spool import SpoolWriter
from tests.fuzz.mutate import mutated
from tests.hostile.inputs import committed
from tests.hostile.make_corpus import REQUEST
from tests.pdus import echo_rq, pdu, pdv, store_rq
from tests.receivers import SETTINGS, SUCCESS, Running, eventually, open_association
from tests.senders import AssociationAborted

GOOD = pdu(pdv(1, 3, store_rq())) + pdu(pdv(1, 2, b"dataset")) + pdu(pdv(3, 3, echo_rq()))
REQUESTS = [
    REQUEST,
    REQUEST + GOOD,
    *(one.data for one in committed() if one.kind == "connection" and len(one.data) < 5000),
]
STREAMS = [GOOD, *(one.data for one in committed() if one.kind == "association" and len(one.data) < 20000)]
PATIENT = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver with little patience."""
    folder = tmp_path_factory.mktemp("fuzz") / "spool"
    writer = SpoolWriter(
        folder, limit_bytes=1 << 28, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=lambda: datetime.now(UTC)
    )
    receiver = Receiver(replace(SETTINGS, pdu_timeout_s=1, idle_timeout_s=2), writer)
    receiver.start()
    yield Running(receiver, writer, folder)
    receiver.stop(5)
    writer.close()


def _ended(connection: socket.socket, data: bytes) -> None:
    """Send it all, say that there is no more, and wait for the end."""
    connection.settimeout(10)
    with suppress(OSError):  # it was the first to close
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def _serves(running: Running) -> bool:
    with open_association(running) as association:
        return association.echo(3) == SUCCESS


def test_any_request(running: Running) -> None:
    """Changed association requests, and what follows them."""

    @PATIENT
    @given(st.integers(0, 1 << 32))
    def holds(seed: int) -> None:
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            _ended(connection, mutated(REQUESTS, random.Random(seed)))

    holds()
    assert _serves(running)
    _has_settled(running)


def test_any_data(running: Running) -> None:
    """Changed messages within an association; what is stored came whole."""
    before = len(running.records(RecordKind.INSTANCE))

    @PATIENT
    @given(st.integers(0, 1 << 32))
    def holds(seed: int) -> None:
        with suppress(AssociationAborted):
            association = open_association(running)
            with association.socket:
                _ended(association.socket, mutated(STREAMS, random.Random(seed)))

    holds()
    assert _serves(running)
    _has_settled(running)
    assert len(running.records(RecordKind.INSTANCE)) >= before


def _has_settled(running: Running) -> None:
    """No association is left, and no thread of one."""
    eventually(lambda: not running.receiver.associations)
    eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("AcceptorThread")])
