"""Archives of every sort that the tests deliver to, and a listener for their storage commitment reports."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue

import pytest
from pydicom import dcmread
from pynetdicom import AE, evt

from agent.core.archive import Archive
from agent.core.errors import SentinodeError
from agent.core.services import STORAGE_COMMITMENT
from agent.dimse.association import Timeouts
from agent.dimse.client import PacsClient
from demo.archive import Archive as OwnArchive
from demo.orthanc import Orthanc
from demo.pacs_process import INSTANCE, LOOPBACK, Pacs, free_port
from tests.fakes.pacs import FakePacs
from tests.peers import program

AGENT = "SENTINODE"
QUICK = Timeouts(connect_s=5, association_s=10, response_s=10, pdu_s=5)


@dataclass(frozen=True)
class Subject:
    """An archive as the port sees it, a look behind it, and the port where it expects our listener."""

    archive: Archive
    fetch: Callable[[str], bytes]
    listener_port: int


@dataclass
class Reports:
    """Storage commitment reports that came in, encoded, with their transfer syntax."""

    port: int
    queue: "Queue[tuple[bytes, str]]" = field(default_factory=Queue)

    def next(self) -> tuple[bytes, str]:
        """Return the next report; raises Empty when none comes."""
        return self.queue.get(timeout=20)


@contextmanager
def report_listener(port: int = 0) -> Iterator[Reports]:
    """Listen as the agent's receiver does: the peer is SCP of storage commitment on an association that it opens."""
    ae = AE(ae_title=AGENT)
    ae.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    reports = Reports(port)

    def on_report(event: evt.Event) -> tuple[int, None]:
        payload = event.request.EventInformation.getvalue()  # type: ignore[union-attr]
        reports.queue.put((payload, str(event.context.transfer_syntax)))
        return 0x0000, None

    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    reports.port = server.server_address[1]
    try:
        yield reports
    finally:
        server.shutdown()


def client(ae_title: str, port: int, timeouts: Timeouts = QUICK) -> PacsClient:
    """Return the agent's client of a PACS on loopback."""
    return PacsClient(AGENT, ae_title, "127.0.0.1", port, timeouts=timeouts)


@contextmanager
def fake_subject(folder: Path) -> Iterator[Subject]:
    """A PACS in memory."""
    fake = FakePacs()
    yield Subject(fake, fake.kept.__getitem__, 0)


@contextmanager
def own_subject(folder: Path) -> Iterator[Subject]:
    """The demo's small archive behind the real client."""
    port = free_port()
    with OwnArchive("ARCHIVE", folder / "files", peers={AGENT: ("127.0.0.1", port)}) as archive:
        yield Subject(client("ARCHIVE", archive.port), archive.fetch, port)


@contextmanager
def orthanc_subject(folder: Path) -> Iterator[Subject]:
    """Orthanc behind the real client; skips where it is not installed."""
    program("Orthanc")
    port = free_port()
    orthanc = Orthanc(folder / "orthanc", "ORTHANC", free_port(), {AGENT: ("127.0.0.1", port)})
    orthanc.start()
    try:
        yield Subject(client("ORTHANC", orthanc.port), orthanc.fetch, port)
    finally:
        orthanc.kill()  # stopping in order takes it three seconds


def forget(orthanc: Orthanc, sop_instance_uid: str) -> None:
    """Delete an instance from Orthanc, as an administrator would."""
    rest = HTTPConnection(LOOPBACK, orthanc.http_port, timeout=20)
    with closing(rest):
        rest.request("POST", "/tools/lookup", sop_instance_uid)
        (identifier,) = [r["ID"] for r in json.loads(rest.getresponse().read()) if r["Type"] == "Instance"]
        rest.request("DELETE", f"/instances/{identifier}")
        assert rest.getresponse().status == 200


class Dcmqrscp(Pacs):
    """DCMTK's archive: storage and query. Its folder is read directly.

    It takes every SOP class of ours, keeps the bytes as they came, and offers no storage commitment.
    """

    kind = "dcmqrscp"

    def _command(self) -> list[str]:
        configuration, files = self.folder / "dcmqrscp.cfg", self.folder / "files"
        files.mkdir(exist_ok=True)
        configuration.write_text(
            f"NetworkTCPPort = {self.port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
            "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\n{self.ae_title} {files} RW (100, 1024mb) ANY\nAETable END\n"
        )
        return [program("dcmqrscp"), "--disable-host-lookup", "-c", str(configuration)]

    def _answers(self) -> bool:
        try:
            client(self.ae_title, self.port).echo()
        except SentinodeError:
            return False
        return True

    def store(self, files: Sequence[bytes]) -> None:
        """C-STORE."""
        list(client(self.ae_title, self.port).store(files))

    def route(self, uid: str, to_ae_title: str) -> None:
        """Nothing is routed."""
        raise OSError("dcmqrscp routes nothing")

    def instances(self) -> list[INSTANCE]:
        """Read the folder."""
        headers = [dcmread(path, stop_before_pixels=True) for path in (self.folder / "files").glob("*.dcm")]
        return [(h.SOPClassUID, h.SOPInstanceUID, h.StudyInstanceUID, h.SeriesInstanceUID) for h in headers]

    def fetch(self, sop_instance_uid: str) -> bytes:
        """Read the file."""
        for path in (self.folder / "files").glob("*.dcm"):
            if dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID == sop_instance_uid:
                return path.read_bytes()
        raise KeyError(sop_instance_uid)


SUBJECTS = {"fake": fake_subject, "own": own_subject, "orthanc": orthanc_subject}


@pytest.fixture(scope="module", params=list(SUBJECTS))
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """An archive of each sort, one for all tests of a module."""
    with SUBJECTS[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture(scope="module", params=["own", "orthanc"])
def real_subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A real archive of each sort, one for all tests of a module."""
    with SUBJECTS[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made
