"""A small archive: storage of every class, C-FIND, storage commitment, C-ECHO, and auto-routing of what it stores.

It stands in for a PACS where Orthanc is not installed, and in tests, where its switches make it misbehave.
Nothing of it is part of the agent.
"""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt

from agent.core.errors import SentinodeError
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from agent.dimse.association import RequestorAe
from agent.dimse.client import PacsClient
from agent.dimse.still import hold_still
from demo.contexts import offered
from demo.query import level_keys, matches


@dataclass
class Switches:
    """Ways to misbehave, all off; tests may change them while the archive runs."""

    refuse_first: int = 0  # associations rejected ("local limit exceeded") before the first is accepted
    refuse_sop_classes: frozenset[str] = frozenset()  # no presentation context for these
    delay_s: float = 0.0  # before each C-STORE response
    die_after: int | None = None  # objects kept before it aborts every association
    status: Mapping[str, int] = field(default_factory=dict)  # C-STORE status by SOP class; a failure keeps nothing
    drop_commitment: bool = False  # N-ACTION succeeds, the report never comes


class Archive:
    """The archive. Files are named by a digest of their SOP Instance UID, so no received value reaches a path.

    Parameters
    ----------
    ae_title : str
        Its own; the called AE title is not checked.
    folder : Path
        Where the Part 10 files lie; what is there already is served again.
    port : int
        0 for a free one.
    peers : mapping of AE title to (host, port)
        Where storage commitment reports go.
    forward : sequence of AE titles out of `peers`
        Everything stored is sent on to these.
    """

    def __init__(
        self,
        ae_title: str,
        folder: Path,
        *,
        port: int = 0,
        peers: Mapping[str, tuple[str, int]] | None = None,
        forward: tuple[str, ...] = (),
        switches: Switches | None = None,
    ) -> None:
        self.ae_title, self.folder, self.switches = ae_title, folder, switches or Switches()
        self.peers, self._forward = dict(peers or {}), forward
        self.associations = 0  # requested, the rejected ones included
        self.stores: list[str] = []  # SOP Instance UIDs of all C-STORE requests, in order
        self._headers: dict[str, Dataset] = {}
        self._lock = threading.Lock()
        self._is_stopped = False
        self._later = ThreadPoolExecutor(max_workers=4, thread_name_prefix="archive")
        folder.mkdir(parents=True, exist_ok=True)
        self._load()
        self._server = self._listen(port)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening, after what is still to be sent on was tried; harmless when stopped."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._server.shutdown()
        self._later.shutdown(wait=True)

    def instances(self) -> list[tuple[str, str, str, str]]:
        """Return (SOP class, SOP instance, study, series) of everything stored, in order of arrival."""
        with self._lock:
            return [
                (str(h.SOPClassUID), str(h.SOPInstanceUID), str(h.StudyInstanceUID), str(h.SeriesInstanceUID))
                for h in self._headers.values()
            ]

    def fetch(self, sop_instance_uid: str) -> bytes:
        """Return the Part 10 file of one instance. Raises KeyError."""
        if sop_instance_uid not in self._headers:
            raise KeyError(sop_instance_uid)
        return self._path(sop_instance_uid).read_bytes()

    def _path(self, sop_instance_uid: str) -> Path:
        return self.folder / f"{sha256(sop_instance_uid.encode()).hexdigest()[:40]}.dcm"

    def _load(self) -> None:
        for path in sorted(self.folder.glob("*.dcm"), key=lambda p: p.stat().st_mtime_ns):
            try:
                header = dcmread(path, stop_before_pixels=True)
            except InvalidDicomError:
                continue
            self._headers[str(header.SOPInstanceUID)] = header

    def _listen(self, port: int):
        ae = AE(ae_title=self.ae_title)
        ae.maximum_pdu_size = 131072
        ae.maximum_associations = 50
        handlers = [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_C_FIND, self._on_find),
            (evt.EVT_N_ACTION, self._on_action),
            (evt.EVT_C_ECHO, lambda event: 0x0000),
        ]
        contexts = offered(self.switches.refuse_sop_classes)
        return ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, contexts=contexts)

    def _on_requested(self, event: evt.Event) -> None:
        self.associations += 1
        if self.associations <= self.switches.refuse_first or self._is_dead():
            event.assoc.acse.send_reject(0x02, 0x03, 0x02)  # transient, presentation provider, local limit exceeded
            event.assoc.kill()

    def _is_dead(self) -> bool:
        return self.switches.die_after is not None and len(self._headers) >= self.switches.die_after

    def _on_store(self, event: evt.Event) -> int:
        request = event.request
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if self._is_dead():
            event.assoc.abort()
            return 0xA700
        self.stores.append(sop_instance)
        time.sleep(self.switches.delay_s)
        status = self.switches.status.get(sop_class, 0x0000)
        if status == 0x0000 or status >> 12 == 0xB:
            self._keep(sop_instance, event.encoded_dataset())
        return status

    def _keep(self, sop_instance: str, encoded: bytes) -> None:
        header = dcmread(BytesIO(encoded), stop_before_pixels=True)
        path = self._path(sop_instance)
        partial = path.with_suffix(".part")
        partial.write_bytes(encoded)
        partial.replace(path)
        with self._lock:
            self._headers[sop_instance] = header
        for ae_title in self._forward:
            self._later.submit(self._send_on, ae_title, encoded)

    def _send_on(self, ae_title: str, encoded: bytes) -> None:
        host, port = self.peers[ae_title]
        try:
            list(PacsClient(self.ae_title, ae_title, host, port).store([encoded]))
        except SentinodeError as exc:
            print(f"not forwarded to {ae_title}: {exc}", file=sys.stderr)

    def _on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        try:
            keys, unique = level_keys(query)
        except ValueError:
            yield 0xA900, None
            return
        seen: set[str] = set()
        with self._lock:
            headers = list(self._headers.values())
        for header in headers:
            name = str(header.get(unique, ""))
            if name in seen or not matches(query, header):
                continue
            seen.add(name)
            answer = Dataset()
            answer.update({tag: header[tag] for tag in keys if tag in header})
            if "SpecificCharacterSet" in header:
                answer.SpecificCharacterSet = header.SpecificCharacterSet
            answer.QueryRetrieveLevel = query.QueryRetrieveLevel
            yield 0xFF00, answer
        yield 0x0000, None

    def _on_action(self, event: evt.Event) -> tuple[int, Dataset | None]:
        wanted = event.action_information
        if not self.switches.drop_commitment:
            self._later.submit(self._report, event.assoc.requestor.ae_title.strip(), wanted)
        return 0x0000, None

    def _report(self, ae_title: str, wanted: Dataset) -> None:
        """Send the N-EVENT-REPORT (PS3.4 J.3.3) over an association of our own, as SCP."""
        report = Dataset()
        report.TransactionUID = wanted.TransactionUID
        here = [r for r in wanted.ReferencedSOPSequence if r.ReferencedSOPInstanceUID in self._headers]
        missing = [r for r in wanted.ReferencedSOPSequence if r.ReferencedSOPInstanceUID not in self._headers]
        report.ReferencedSOPSequence = here
        for reference in missing:
            reference.FailureReason = 0x0112  # no such object instance
        if missing:
            report.FailedSOPSequence = missing
        host, port = self.peers[ae_title]
        assoc = RequestorAe(ae_title=self.ae_title).associate(
            host,
            port,
            contexts=[build_context(STORAGE_COMMITMENT)],
            ae_title=ae_title,
            ext_neg=[build_role(STORAGE_COMMITMENT, scp_role=True)],
        )
        if assoc.is_established:
            kind = 2 if missing else 1
            hold_still(assoc)
            assoc.send_n_event_report(report, kind, UID(STORAGE_COMMITMENT), UID(STORAGE_COMMITMENT_INSTANCE))
            assoc.release()


def _peer(text: str) -> tuple[str, tuple[str, int]]:
    ae_title, _, address = text.partition("@")
    host, _, port = address.rpartition(":")
    return ae_title, (host, int(port))


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ae-title", default="ARCHIVE")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peer", type=_peer, action="append", default=[], metavar="AET@host:port")
    parser.add_argument("--forward", type=_peer, action="append", default=[], metavar="AET@host:port")
    parser.add_argument(
        "--refuse", action="append", default=[], metavar="UID", help="a SOP class that it does not take"
    )
    given = parser.parse_args()
    forward = tuple(name for name, _ in given.forward)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    peers = dict([*given.peer, *given.forward])
    switches = Switches(refuse_sop_classes=frozenset(given.refuse))
    with Archive(
        given.ae_title, given.folder, port=given.port, peers=peers, forward=forward, switches=switches
    ) as archive:
        print(f"{archive.ae_title} listens on 127.0.0.1:{archive.port}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
