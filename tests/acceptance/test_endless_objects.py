"""Senders of objects that never end, and a spool that is small: who is honest is served once they have left."""

from pathlib import Path
from typing import Any

import pytest

from agent.spool import segment_bytes_of, segments
from tests.acceptance.conftest import Hospital, views
from tests.harness import wait_until
from tests.receivers import SC
from tests.senders import EXPLICIT, RawAssociation

LIMIT = 256 << 20
ASSOCIATIONS = 64
LARGEST = LIMIT // 4
PART = bytes(1 << 16)
SMALL: dict[str, Any] = {"storage": {"spool_bytes": "256MiB"}}
WITHIN_S = 15.0


def _open(hospital: Hospital, name: str) -> RawAssociation:
    port = hospital.agent.port
    return RawAssociation("127.0.0.1", port, calling=name, called="SENTINODE", contexts=[(SC, [EXPLICIT])])


def _begin(sender: RawAssociation) -> None:
    sender.send_command(1, 0x0001, SC, "2.25.1")


def _go_on(sender: RawAssociation, length: int) -> None:
    for _ in range(length // len(PART)):
        sender.send_pdv(1, 0, PART[: sender._fragment_bytes])


@pytest.mark.parametrize("changes", [SMALL])
def test_who_sends_without_end_and_leaves_shuts_nobody_out(hospital: Hospital) -> None:
    """Eight at once want more than there is, twice: then an image is taken, and what they took is given back."""
    for wave in range(2):
        senders = [_open(hospital, f"E{number}") for number in range(8)]
        for sender in senders:
            _begin(sender)
        for _ in range(5):
            for sender in senders:
                _go_on(sender, LARGEST // 8)
        for sender in senders:
            sender.reset()
        image = views(hospital.patient(wave + 1), "L CC")
        assert wait_until(
            lambda image=image: hospital.send(image) == [0], WITHIN_S, "no room after they left", every_s=0.5
        )
    assert wait_until(lambda: _oversized(hospital.folder / "spool") <= 1, WITHIN_S, "what they took is not given back")


@pytest.mark.parametrize("changes", [SMALL])
def test_an_object_that_is_too_large_is_refused_and_the_next_one_taken(hospital: Hospital) -> None:
    """Out of resources, as is said in the log once; the association stays open."""
    with _open(hospital, "LARGE") as sender:
        _begin(sender)
        _go_on(sender, LARGEST + (1 << 20))
        sender.send_pdv(1, 2, PART[:100])
        assert sender.read_status() == 0xA700
        assert sender.store(1, SC, "2.25.2", b"\x08\x00\x05\x00CS\x00\x00") == 0
    (line,) = [line for line in hospital.agent.log_lines() if line["event"] == "instance_refused"]
    assert line["reason"] == f"the object is larger than {LARGEST} bytes"


def _oversized(folder: Path) -> int:
    """Count segments that were made for large objects."""
    return sum(one.size > segment_bytes_of(LIMIT, ASSOCIATIONS) for one in segments(folder))
