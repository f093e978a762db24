"""Our own small archive as the demo's PACS."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from agent.core.dimse_status import Judgement, judge
from agent.core.errors import SentinodeError
from agent.dimse.client import PacsClient
from demo.pacs_process import INSTANCE, LOOPBACK, Pacs, Peers

KEPT = (Judgement.STORED, Judgement.STORED_WITH_WARNING)


class OwnArchive(Pacs):
    """`demo.archive` as a process; its folder is read directly.

    `forward` names peers that get all it stores, `refuse` SOP classes that it does not take.
    """

    kind = "our own small archive"

    def __init__(
        self,
        folder: Path,
        ae_title: str,
        port: int,
        peers: Peers,
        forward: Sequence[str] = (),
        *,
        refuse: Sequence[str] = (),
    ) -> None:
        super().__init__(folder, ae_title, port, peers)
        self._files = self.folder / "files"
        self._forward, self._refuse = tuple(forward), tuple(refuse)
        self._headers: dict[Path, INSTANCE] = {}

    def _command(self) -> list[str]:
        peers: list[str] = []
        for ae_title, (host, port) in self.peers.items():
            peers += ["--forward" if ae_title in self._forward else "--peer", f"{ae_title}@{host}:{port}"]
        own = ["--ae-title", self.ae_title, "--port", str(self.port), "--folder", str(self._files)]
        refuse = [word for uid in self._refuse for word in ("--refuse", uid)]
        return [sys.executable, "-m", "demo.archive", *own, *peers, *refuse]

    def _answers(self) -> bool:
        try:
            PacsClient("DEMO", self.ae_title, LOOPBACK, self.port).echo()
        except SentinodeError:
            return False
        return True

    def store(self, files: Sequence[bytes]) -> None:
        """C-STORE."""
        _c_store(PacsClient("DEMO", self.ae_title, LOOPBACK, self.port), files)

    def route(self, uid: str, to_ae_title: str) -> None:
        """C-STORE under the archive's AE title."""
        self.instances()
        files = [path.read_bytes() for path, i in self._headers.items() if uid in i[2:]]
        if not files:
            raise FileNotFoundError(f"no study or series {uid} in the PACS")
        _c_store(PacsClient(self.ae_title, to_ae_title, *self.peers[to_ae_title]), files)

    def instances(self) -> list[INSTANCE]:
        """Read the headers of what is new in the folder."""
        for path in sorted(self._files.glob("*.dcm"), key=lambda p: p.stat().st_mtime_ns):
            if path not in self._headers:
                try:
                    ds = dcmread(path, stop_before_pixels=True)
                except InvalidDicomError:
                    continue
                uids = (ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID)
                self._headers[path] = (str(uids[0]), str(uids[1]), str(uids[2]), str(uids[3]))
        return list(self._headers.values())

    def fetch(self, sop_instance_uid: str) -> bytes:
        """Read the file."""
        self.instances()
        for path, found in self._headers.items():
            if found[1] == sop_instance_uid:
                return path.read_bytes()
        raise KeyError(sop_instance_uid)


def _c_store(client: PacsClient, files: Sequence[bytes]) -> None:
    try:
        failed = [o for o in client.store(files) if o.status is None or judge(o.status) not in KEPT]
    except SentinodeError as exc:
        raise ConnectionError(str(exc)) from exc
    if failed:
        raise OSError(f"{len(failed)} of {len(files)} objects were refused")
