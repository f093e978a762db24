"""A peer that takes our objects in the default transfer syntax alone (PS3.5 10.1), or in both, over real sockets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pytest
import structlog
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from agent.core.errors import Transient
from agent.dimse.part10 import EXPLICIT, IMPLICIT, implicit, split
from agent.dimse.session import FIND, proposals
from tests.archives import client
from tests.fakes.objects import (
    COMPREHENSIVE_3D_SR,
    ENHANCED_SR,
    SECONDARY_CAPTURE,
    dataset_bytes,
    one_result,
    part10,
)

OBJECTS = one_result(1)
PARTS = [o.encoded for o in OBJECTS]
PAIRS = tuple(dict.fromkeys((o.sop_class_uid, o.transfer_syntax_uid) for o in OBJECTS))
CLASSES = (COMPREHENSIVE_3D_SR, ENHANCED_SR, SECONDARY_CAPTURE)
BASELINE = "1.2.840.10008.1.2.4.50"


@dataclass
class Storage:
    """A storage SCP, and what it was sent: transfer syntax and Part 10 file by SOP Instance UID."""

    supported: dict[str, Sequence[str]]
    port: int = 0
    kept: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    associations: int = 0

    def keep(self, event: evt.Event) -> int:
        """Keep an object."""
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        self.kept[uid] = (str(event.context.transfer_syntax), event.encoded_dataset())
        return 0

    def count(self, event: evt.Event) -> None:
        """Count an association."""
        self.associations += 1


@contextmanager
def storage(supported: dict[str, Sequence[str]]) -> Iterator[Storage]:
    """Serve SOP classes, each with its transfer syntaxes."""
    made, ae = Storage(supported), AE(ae_title="PEER")
    for sop_class, syntaxes in supported.items():
        ae.add_supported_context(sop_class, list(syntaxes))
    handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, made.keep), (evt.EVT_REQUESTED, made.count)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    made.port = server.server_address[1]
    try:
        yield made
    finally:
        server.shutdown()


def said(ds: Dataset) -> list[tuple[int, object]]:
    """Return all values of a dataset: of VR, Implicit VR says less (PS3.5 A.1)."""
    return [(element.tag, element.value) for element in ds.iterall() if element.VR != "SQ"]


def test_archive_of_implicit_vr_alone_gets_every_object_under_its_uid() -> None:
    """Nothing but the encoding changes, which is logged once for the association."""
    with structlog.testing.capture_logs() as logs, storage(dict.fromkeys(CLASSES, (IMPLICIT,))) as archive:
        outcomes = list(client("PEER", archive.port).store(PARTS))
    assert [(o.sop_instance_uid, o.status) for o in outcomes] == [(o.sop_instance_uid, 0) for o in OBJECTS]
    for one in OBJECTS:
        syntax, arrived = archive.kept[one.sop_instance_uid]
        assert syntax == IMPLICIT
        assert dataset_bytes(arrived) == bytes(implicit(split(one.encoded)).dataset) != dataset_bytes(one.encoded)
        assert said(dcmread(BytesIO(arrived))) == said(dcmread(BytesIO(one.encoded)))
    assert [line["event"] for line in logs] == ["sent_in_implicit_vr"]
    assert "Phantom" not in str(logs)


@pytest.mark.parametrize("syntaxes", [[EXPLICIT], [EXPLICIT, IMPLICIT], [IMPLICIT, EXPLICIT]])
def test_objects_travel_as_they_are_wherever_that_is_accepted(syntaxes: list[str]) -> None:
    """Whichever the archive would rather have."""
    with structlog.testing.capture_logs() as logs, storage(dict.fromkeys(CLASSES, syntaxes)) as archive:
        list(client("PEER", archive.port).store(PARTS))
    for one in OBJECTS:
        syntax, arrived = archive.kept[one.sop_instance_uid]
        assert (syntax, dataset_bytes(arrived)) == (EXPLICIT, dataset_bytes(one.encoded))
    assert logs == []


def test_each_class_travels_as_the_archive_takes_it() -> None:
    """One in either, one in the default, one not at all."""
    supported = {COMPREHENSIVE_3D_SR: [EXPLICIT, IMPLICIT], SECONDARY_CAPTURE: [IMPLICIT]}
    with storage(supported) as archive:
        outcomes = list(client("PEER", archive.port).store(PARTS))
    assert [o.status for o in outcomes] == [0, None, 0, 0]
    assert [archive.kept[o.sop_instance_uid][0] for o in (OBJECTS[0], *OBJECTS[2:])] == [EXPLICIT, IMPLICIT, IMPLICIT]


def test_compressed_object_is_never_encoded_anew() -> None:
    """Nor is the default transfer syntax proposed for it: nobody could fill the context."""
    compressed = PARTS[2].replace(EXPLICIT.encode() + b"\0", BASELINE.encode())
    length = int.from_bytes(PARTS[2][140:144], "little") + len(BASELINE) - len(EXPLICIT) - 1
    at = compressed.index(BASELINE.encode()) - 2
    compressed = compressed[:140] + length.to_bytes(4, "little") + compressed[144:at] + b"\x16\0" + compressed[at + 2 :]
    assert split(compressed).transfer_syntax_uid == BASELINE
    assert proposals([(SECONDARY_CAPTURE, BASELINE)]) == [(SECONDARY_CAPTURE, (BASELINE,))]
    with storage(dict.fromkeys(CLASSES, (EXPLICIT, IMPLICIT))) as archive:
        outcomes = list(client("PEER", archive.port).store([PARTS[0], compressed, PARTS[3]]))
    assert [o.status for o in outcomes] == [0, None, 0]


def test_same_object_is_encoded_to_the_same_bytes() -> None:
    """What is sent again is what was sent before; sequences and names in another script come through."""
    ds = dcmread(BytesIO(part10(SECONDARY_CAPTURE, "2.25.7")))
    item = dcmread(BytesIO(part10(ENHANCED_SR, "2.25.8")))
    ds.ReferencedSeriesSequence = [item]
    ds.ReferencedSeriesSequence[0].ReferencedSOPSequence = [item.group_dataset(0x0008)]
    buffer = BytesIO()
    ds.save_as(buffer)
    once, again = implicit(split(buffer.getvalue())), implicit(split(buffer.getvalue()))
    assert bytes(once.dataset) == bytes(again.dataset)
    back = dcmread(BytesIO(bytes(once.dataset)), force=True)
    assert said(back) == said(dcmread(BytesIO(buffer.getvalue())))
    assert len(said(back)) > len(said(item))
    assert once.sop_instance_uid == "2.25.7"


@pytest.mark.parametrize("supported", [{}, {FIND[0]: [IMPLICIT]}], ids=["nothing", "queries alone"])
def test_archive_that_accepts_nothing_to_store_is_tried_again(supported: dict[str, Sequence[str]]) -> None:
    """Perhaps it is being set up: nothing of that is said of the objects."""
    with storage({"1.2.840.10008.1.1": [IMPLICIT]} | supported) as archive:
        peer = client("PEER", archive.port)
        with peer.session(PAIRS, reads_back=True) as session, pytest.raises(Transient, match="accepted n"):
            list(session.store(PARTS))


def test_class_that_comes_alone_later_is_refused_for_itself() -> None:
    """What the archive took before is proposed beside it, and accepted: it knows us, and does not take the class."""
    with storage(dict.fromkeys(CLASSES[1:], (EXPLICIT,))) as archive:
        peer = client("PEER", archive.port)
        assert [o.status for o in peer.store(PARTS)] == [None, 0, 0, 0]
        for reads_back in (False, True):
            with peer.session(PAIRS[:1], reads_back=reads_back) as session:
                assert [o.status for o in session.store(PARTS[:1])] == [None]
        assert archive.associations == 3
    with storage(dict.fromkeys(CLASSES[1:], (EXPLICIT,))) as archive, pytest.raises(Transient, match="accepted n"):
        list(client("PEER", archive.port).store(PARTS[:1]))
