"""Orthanc as the demo's PACS."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from demo.pacs_process import INSTANCE, LOOPBACK, Pacs, PacsError, Peers, check_free, free_port

SYSTEM_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


def orthanc_binary() -> str | None:
    """Return the path of Orthanc, None where it is not installed."""
    return shutil.which("Orthanc", path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")


class Orthanc(Pacs):
    """Orthanc, asked over its REST interface; no plugins, an index and storage of its own below `folder`."""

    kind = "Orthanc"

    def __init__(self, folder: Path, ae_title: str, port: int, peers: Peers, http_port: int = 0) -> None:
        super().__init__(folder, ae_title, port, peers)
        self.http_port = http_port or free_port()

    def _command(self) -> list[str]:
        binary = orthanc_binary()
        if binary is None:
            raise PacsError("Orthanc is not installed (Debian: apt install orthanc)")
        check_free(self.http_port)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(), indent=2))
        return [binary, str(configuration)]

    def _configuration(self) -> dict[str, Any]:
        """Only listed peers at their own addresses are let in: Orthanc cannot bind its DICOM port to loopback."""
        may = {"AllowEcho": True, "AllowFind": True, "AllowStore": True, "AllowStorageCommitment": True}
        return {
            "Name": self.ae_title,
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [],
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": False,
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomModalities": {
                ae_title: {"AET": ae_title, "Host": host, "Port": port, **may}
                for ae_title, (host, port) in self.peers.items()
            },
            "UnknownSopClassAccepted": True,
            "OverwriteInstances": True,
            "HttpPort": self.http_port,
            "HttpServerEnabled": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "SaveJobs": False,
            "StableAge": 1,
        }

    def _rest(self, path: str, body: bytes | None = None, timeout_s: float = 60) -> bytes:
        request = Request(f"http://{LOOPBACK}:{self.http_port}{path}", data=body)
        with urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - our own Orthanc, on loopback
            content: bytes = response.read()
            return content

    def _answers(self) -> bool:
        try:
            return b"Version" in self._rest("/system", timeout_s=2)
        except OSError:
            return False

    def store(self, files: Sequence[bytes]) -> None:
        """Upload."""
        for encoded in files:
            self._rest("/instances", encoded)

    def route(self, uid: str, to_ae_title: str) -> None:
        """Let Orthanc send the study or series."""
        resources = [found["ID"] for found in self._lookup(uid) if found["Type"] in ("Study", "Series")]
        if not resources:
            raise FileNotFoundError(f"no study or series {uid} in the PACS")
        body = json.dumps({"Resources": resources, "Synchronous": True, "Timeout": 60}).encode()
        self._rest(f"/modalities/{to_ae_title}/store", body)

    def instances(self) -> list[INSTANCE]:
        """List."""
        studies = {s["ID"]: s["MainDicomTags"]["StudyInstanceUID"] for s in self._list("/studies?expand")}
        series = {
            s["ID"]: (studies[s["ParentStudy"]], s["MainDicomTags"]["SeriesInstanceUID"])
            for s in self._list("/series?expand")
            if s["ParentStudy"] in studies
        }
        return [
            (
                self._rest(f"/instances/{i['ID']}/metadata/SopClassUid").decode(),
                i["MainDicomTags"]["SOPInstanceUID"],
                *series[i["ParentSeries"]],
            )
            for i in self._list("/instances?expand")
            if i["ParentSeries"] in series
        ]

    def fetch(self, sop_instance_uid: str) -> bytes:
        """Download."""
        for found in self._lookup(sop_instance_uid):
            if found["Type"] == "Instance":
                return self._rest(f"/instances/{found['ID']}/file")
        raise KeyError(sop_instance_uid)

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._rest(path))
        return found

    def _lookup(self, uid: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._rest("/tools/lookup", uid.encode()))
        return found
