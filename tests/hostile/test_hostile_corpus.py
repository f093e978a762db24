"""The corpus of hostile inputs, replayed: each is refused or answered, and nothing else is harmed."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.core.errors import Rejected
from agent.core.instance import End, Instance
from agent.core.ports import RecordKind
from agent.dicom.decoding import Bounds, Decoder
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.receive import Receiver
from agent.spool import SpoolWriter
from tests.fakes.instances import mammogram, meta_of, record_of
from tests.hostile.inputs import FOLDER, Hostile, committed
from tests.hostile.make_corpus import corpus, readme
from tests.indexing import House
from tests.receivers import EVERYTHING, SETTINGS, SUCCESS, Running, open_association
from tests.senders import AssociationAborted

INPUTS = committed()
DATASETS = [one for one in INPUTS if one.kind == "dataset"]
USABLE = set(
    "bomb-of-bombs.deflated rows-as-ul.explicit empty-items.explicit negative-frames.explicit "
    "no-such-charset.explicit".split()
)
"""What is odd, and breaks no rule that reading a header needs."""


def _named(inputs: list[Hostile]) -> list[object]:
    return [pytest.param(one, id=one.name) for one in inputs]


def test_the_files_are_what_is_made() -> None:
    """The table says of each what it broke, and no file is left over."""
    made = list(corpus())
    assert {one.path: one.data for one in INPUTS} == {one.path: one.data for one in made}
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == readme(made)


@pytest.mark.parametrize("one", _named(DATASETS))
def test_a_dataset_is_read_or_rejected_in_time(one: Hostile) -> None:
    """Nothing but Rejected is raised, whose words quote nothing of the patient, and it takes no CPU to speak of."""
    began, found = time.process_time(), ""
    try:
        read_header(record_of(one.data, meta_of(mammogram(), one.transfer_syntax_uid)), None)
    except Rejected as exc:
        found = str(exc)
    assert time.process_time() - began < 0.5
    assert (found == "") == (one.name in USABLE)
    assert "P-1" not in found


def test_what_fails_is_quarantined_and_nothing_else_is_harmed(tmp_path: Path) -> None:
    """Sound images before, between and behind are collected; each hostile one has its end, its copy and its reason."""
    house = House(tmp_path)
    house.send(mammogram("before"))
    for number, one in enumerate(DATASETS):
        meta = meta_of(mammogram(f"hostile {number}"), one.transfer_syntax_uid)
        house.spool.add(RecordKind.INSTANCE, meta, one.data)
        house.send(mammogram(f"between {number}"))
    while house.indexer.tick():
        pass
    ends = house.ends()
    assert ends[0::2] == [End.COLLECTED] * (1 + len(DATASETS))
    assert set(ends[1::2]) == {End.QUARANTINED}  # the usable ones, too: they are not what their C-STORE said
    copies = sorted(tmp_path.glob("*.dcm"))
    assert len(copies) == len({one.data for one in DATASETS})
    for copy in copies:
        assert re.fullmatch(r"[0-9a-f]{64}\.dcm", copy.name)
        assert copy.with_suffix(".json").exists()
        assert copy.read_bytes()[:132] == bytes(128) + b"DICM"


def test_no_dataset_harms_who_decodes_it() -> None:
    """Each ends as Rejected, or as pixels, in the child; the same child answers them all, or another one does."""
    with Decoder(Bounds(memory_bytes=1 << 30, cpu_s=5)) as decoder:
        for one in DATASETS:
            part10 = to_part10(record_of(one.data, meta_of(mammogram(), one.transfer_syntax_uid)))
            with suppress(Rejected):
                decoder.decode(part10)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver for all of them, with little patience."""
    folder = tmp_path_factory.mktemp("hostile") / "spool"
    writer = SpoolWriter(
        folder, limit_bytes=1 << 28, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=lambda: datetime.now(UTC)
    )
    receiver = Receiver(replace(SETTINGS, pdu_timeout_s=0.7, idle_timeout_s=0.8), writer)
    receiver.start()
    yield Running(receiver, writer, folder)
    receiver.stop(5)
    writer.close()


def _answered_until_the_end(connection: socket.socket, data: bytes) -> None:
    """Send, say nothing more, and read until the peer ends it; fail after ten seconds."""
    connection.settimeout(10)
    with suppress(ConnectionError):
        connection.sendall(data)
        while connection.recv(65536):
            pass


def _still_serves(running: Running) -> bool:
    with open_association(running) as association:
        return association.echo(3) == SUCCESS


def _stored(running: Running) -> list[bytes]:
    return [record.payload for record in running.records(RecordKind.INSTANCE)]


@pytest.mark.parametrize("one", _named([one for one in INPUTS if one.kind == "connection"]))
def test_a_connection_is_ended_and_others_are_served(running: Running, one: Hostile) -> None:
    """Whatever comes first, the connection is closed in time, and nothing is stored."""
    before = _stored(running)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        _answered_until_the_end(connection, one.data)
    assert _still_serves(running)
    assert _stored(running) == before


@pytest.mark.parametrize("one", _named([one for one in INPUTS if one.kind == "association"]))
def test_an_association_is_ended_and_others_are_served(running: Running, one: Hostile) -> None:
    """Whatever comes in its midst; what was stored is what was sent whole, and no file has a sender's name."""
    before = _stored(running)
    with suppress(AssociationAborted, ConnectionError):
        association = open_association(running, contexts=EVERYTHING)
        _answered_until_the_end(association.socket, one.data)
        association.socket.close()
    assert _still_serves(running)
    assert _stored(running)[len(before) :] in ([], [b"x"], [b""])
    assert all(re.fullmatch(r"(segment-\d{8}\.spool|lock|released)", path.name) for path in running.folder.iterdir())
    assert not Path("/tmp/sentinode-was-here").exists()


def test_a_usable_dataset_is_an_instance() -> None:
    """What breaks no rule is not refused for being odd."""
    (one,) = (one for one in DATASETS if one.name == "empty-items.explicit")
    assert isinstance(read_header(record_of(one.data, meta_of(mammogram())), None), Instance)
