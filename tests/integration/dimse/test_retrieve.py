"""C-MOVE and C-GET from Orthanc to a real receiver, and from peers that refuse or fail."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt

from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.pacs import PacsRetrieve, Wanted
from agent.core.ports import RecordKind
from agent.dimse.association import Peer
from agent.dimse.client import PacsClient
from agent.dimse.retrieve import Getter, Mover
from agent.receive import Peer as Caller
from agent.receive import Receiver, ReceiverSettings
from agent.spool import SpoolWriter
from demo.orthanc import Orthanc
from demo.pacs_process import free_port
from tests.archives import AGENT, QUICK, client
from tests.fakes.instances import MAMMOGRAM, mammogram, uid
from tests.peers import program
from tests.receivers import Running

MOVE, GET = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.2.3"
STUDY, SERIES = uid("study"), uid("series")


def part10(ds: Dataset) -> bytes:
    """Encode a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def receiving(folder: Path, caller: str) -> Iterator[Running]:
    """Run the agent's receiver, which lets one AE title store."""
    writer = SpoolWriter(
        folder, limit_bytes=1 << 28, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=lambda: datetime.now(UTC)
    )
    peers = (Caller(caller, "127.0.0.1", frozenset({"store"})),)
    receiver = Receiver(ReceiverSettings(AGENT, "127.0.0.1", 0, peers), writer)
    receiver.start()
    try:
        yield Running(receiver, writer, folder)
    finally:
        receiver.stop(5)
        writer.close()


@dataclass
class Scene:
    """A receiver and a PACS that knows it."""

    running: Running
    pacs: PacsRetrieve
    objects: dict[str, Dataset]
    seen: int = 0

    def came(self, count: int) -> set[str]:
        """Names of the objects that came in since the last look."""
        records = self.running.wait_for(RecordKind.INSTANCE, self.seen + count)[self.seen :]
        self.seen += count
        names = {str(ds.SOPInstanceUID): name for name, ds in self.objects.items()}
        for record in records:
            assert record.payload  # its bytes are checked by the receiver's own tests
        return {names[record.meta["sop_instance_uid"]] for record in records}


@pytest.fixture(scope="module", params=["move", "get"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Orthanc with five mammograms in three series of two studies, and each way to have them sent."""
    program("Orthanc")
    folder = tmp_path_factory.mktemp(request.param)
    with receiving(folder / "spool", "ORTHANC" if request.param == "move" else AGENT) as running:
        orthanc = Orthanc(folder / "orthanc", "ORTHANC", free_port(), {AGENT: ("127.0.0.1", running.port)})
        orthanc.start()
        try:
            objects = {
                "a": mammogram("a"),
                "b": mammogram("b"),
                "c": mammogram("c"),
                "other series": mammogram("d", SeriesInstanceUID=uid("series 2")),
                "other study": mammogram("e", StudyInstanceUID=uid("study 2"), SeriesInstanceUID=uid("series 3")),
            }
            assert {o.status for o in client("ORTHANC", orthanc.port).store(list(map(part10, objects.values())))} == {0}
            peer = Peer(AGENT, "ORTHANC", "127.0.0.1", orthanc.port, QUICK, 131072)
            ours = PacsClient(AGENT, AGENT, "127.0.0.1", running.port, timeouts=QUICK)
            pacs = Mover(peer) if request.param == "move" else Getter(peer, ours, [MAMMOGRAM])
            yield Scene(running, pacs, objects)
        finally:
            orthanc.kill()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(STUDY), {"a", "b", "c", "other series"}),
        (Wanted(STUDY, SERIES), {"a", "b", "c"}),
        (Wanted(STUDY, SERIES, (uid("a"), uid("c"))), {"a", "c"}),
        (Wanted(STUDY, SERIES, (uid("b"),)), {"b"}),
    ],
    ids=["study", "series", "images", "image"],
)
def test_what_is_wanted_comes_to_our_receiver(scene: Scene, wanted: Wanted, names: set[str]) -> None:
    """All of it, nothing else, and it is in the spool when the call returns."""
    assert scene.pacs.retrieve(wanted) == len(names)
    assert scene.came(len(names)) == names


def test_a_study_that_is_not_there_does_not_come(scene: Scene) -> None:
    """Whatever a PACS calls that: nothing came, or an error that says so."""
    with suppress(Transient, Permanent):
        assert scene.pacs.retrieve(Wanted("2.25.404")) == 0
    assert scene.came(0) == set()


@contextmanager
def serving(*handlers: tuple[evt.EventType, object], offers: str) -> Iterator[Peer]:
    """A peer with handlers of its own."""
    ae = AE(ae_title="PEER")
    ae.add_supported_context(offers)
    ae.add_supported_context(MAMMOGRAM, scu_role=True, scp_role=True)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))  # type: ignore[arg-type]
    try:
        yield Peer(AGENT, "PEER", "127.0.0.1", server.server_address[1], QUICK, 131072)
    finally:
        server.shutdown()


NOBODY = PacsClient(AGENT, AGENT, "127.0.0.1", 1, timeouts=QUICK)
WAYS: list[tuple[str, Callable[[Peer], PacsRetrieve]]] = [
    ("C-MOVE", Mover),
    ("C-GET", lambda peer: Getter(peer, NOBODY, [MAMMOGRAM])),
]


@pytest.mark.parametrize(("service", "way"), WAYS, ids=["move", "get"])
def test_a_peer_that_does_not_offer_it_refuses_for_good(service: str, way: Callable[[Peer], PacsRetrieve]) -> None:
    """Waiting changes nothing."""
    with serving(offers="1.2.840.10008.1.1") as peer, pytest.raises(Permanent, match=service):
        way(peer).retrieve(Wanted(STUDY))


def test_a_peer_that_accepts_no_context_refuses_for_good() -> None:
    """C-GET without any storage class it knows."""
    with serving(offers="1.2.840.10008.1.1") as peer, pytest.raises(Permanent, match="no C-GET"):
        Getter(peer, NOBODY, ["1.2.840.10008.5.1.4.1.1.77.1.6"]).retrieve(Wanted(STUDY))


@pytest.mark.parametrize(("service", "way"), WAYS, ids=["move", "get"])
def test_a_peer_that_is_not_there_is_unreachable(service: str, way: Callable[[Peer], PacsRetrieve]) -> None:
    """As with every other call."""
    with pytest.raises(Unreachable):
        way(Peer(AGENT, "NOBODY", "127.0.0.1", free_port(), QUICK, 131072)).retrieve(Wanted(STUDY))


def test_a_peer_that_does_not_know_us_says_so() -> None:
    """Status 0xA801, move destination unknown: someone has to configure it there, so it is tried again."""

    def unknown(event: evt.Event) -> Iterator[object]:
        yield None, None

    with serving((evt.EVT_C_MOVE, unknown), offers=MOVE) as peer, pytest.raises(Transient, match="0xA801"):
        Mover(peer).retrieve(Wanted(STUDY))


@pytest.mark.parametrize("accepts", [True, False])
def test_a_part_that_is_not_sent_is_no_success(accepts: bool, tmp_path: Path) -> None:
    """Status 0xB000: some of the sub-operations failed at the peer."""

    def send(event: evt.Event) -> Iterator[object]:
        yield "127.0.0.1", running.port, {"contexts": [build_context(MAMMOGRAM)]}
        yield 2
        for name, sop_class in (("x", MAMMOGRAM), ("y", "1.2.840.10008.1.2.3")):
            ds = mammogram(name, SOPClassUID=MAMMOGRAM if accepts else sop_class)
            ds.file_meta = FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            yield 0xFF00, ds

    with receiving(tmp_path, "PEER") as running, serving((evt.EVT_C_MOVE, send), offers=MOVE) as peer:
        if accepts:
            assert Mover(peer).retrieve(Wanted(STUDY)) == 2
            return
        with pytest.raises(Transient, match="not every instance was sent"):
            Mover(peer).retrieve(Wanted(STUDY))


def test_what_our_receiver_does_not_take_did_not_come() -> None:
    """C-GET answers the peer as our receiver did; a receiver that is down takes nothing."""
    answers = []

    def send(event: evt.Event) -> Iterator[object]:
        yield 1
        ds = mammogram("x")
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield 0xFF00, ds

    def note(event: evt.Event) -> None:
        answers.append(event.message)

    with (
        serving((evt.EVT_C_GET, send), (evt.EVT_DIMSE_RECV, note), offers=GET) as peer,
        pytest.raises(Transient, match="C-GET"),
    ):
        Getter(peer, NOBODY, [MAMMOGRAM]).retrieve(Wanted(STUDY))
    statuses = [m.command_set.Status for m in answers if "Status" in m.command_set]
    assert statuses == [0xA700]


def test_a_peer_that_falls_silent_ends_the_wait() -> None:
    """No response within the response timeout, and no thread is left."""
    before, hold = set(threading.enumerate()), threading.Event()

    def silent(event: evt.Event) -> Iterator[object]:
        hold.wait(5)
        yield None, None

    with serving((evt.EVT_C_MOVE, silent), offers=MOVE) as peer:
        quick = Peer(AGENT, "PEER", peer.host, peer.port, type(QUICK)(response_s=0.3), 131072)
        with pytest.raises(Transient, match="no response"):
            Mover(quick).retrieve(Wanted(STUDY))
        hold.set()
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left
