"""OHIF and the archive behind it on one origin, so that the browser asks nobody else."""

import http.client
import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote

from demo.orthanc import Orthanc

LOOPBACK: Final = "127.0.0.1"
HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "accept-encoding")
)
TYPES: Final = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}
PLUGIN_FOLDERS: Final = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc/plugins", "/usr/local/share/orthanc/plugins")
SOURCE: Final = {
    "friendlyName": "Orthanc",
    "name": "orthanc",
    "qidoRoot": "/dicom-web",
    "wadoRoot": "/dicom-web",
    "wadoUriRoot": "/wado",
    "qidoSupportsIncludeField": False,
    "supportsReject": False,
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
    "supportsFuzzyMatching": False,
    "supportsWildcard": True,
    "dicomUploadEnabled": False,
    "omitQuotationForMultipartRequest": True,
    "bulkDataURI": {"enabled": True},
}
APP_CONFIG: Final = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "showWarningMessageForCrossOrigin": False,
    "showCPUFallbackMessage": False,
    "showLoadingIndicator": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "orthanc",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "orthanc",
            "configuration": SOURCE,
        }
    ],
}


def dicomweb_plugin() -> Path | None:
    """Return Orthanc's DICOMweb plugin, None where it is not installed."""
    found = (Path(folder) / "libOrthancDicomWeb.so" for folder in PLUGIN_FOLDERS)
    return next((path for path in found if path.exists()), None)


class WebOrthanc(Orthanc):
    """Orthanc with DICOMweb."""

    def _configuration(self) -> dict[str, Any]:
        web = {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado"}
        full = {"StudiesMetadata": "Full", "SeriesMetadata": "Full"}
        return super()._configuration() | {"Plugins": [str(dicomweb_plugin())], "DicomWeb": web | full}


@contextmanager
def serving(dist: Path, archive_port: int) -> Iterator[str]:
    """Serve OHIF's `dist` before the archive, and give the base URL."""
    handler = type("Handler", (_Handler,), {"dist": dist.resolve(), "archive_port": archive_port})
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    dist: Path
    archive_port: int

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def do_GET(self) -> None:
        """Answer with a file, or with what the archive answers."""
        path = unquote(self.path.split("?", 1)[0])
        if path.startswith(("/dicom-web", "/wado")):
            self._from_archive()
        elif path == "/app-config.js":
            self._send(200, {"Content-Type": "text/javascript"}, f"window.config = {json.dumps(APP_CONFIG)};".encode())
        else:
            self._file(path)

    do_POST = do_GET  # noqa: N815 -- so the base class calls it

    def _file(self, path: str) -> None:
        target = (self.dist / path.lstrip("/")).resolve()
        if not target.is_relative_to(self.dist) or not target.is_file():
            if PurePosixPath(path).suffix in {".js", ".css", ".wasm", ".map", ".png", ".svg"}:
                self._send(404, {"Content-Type": "text/plain"}, b"not found")
                return
            target = self.dist / "index.html"  # the page finds its own way by the path
        kind = TYPES.get(target.suffix) or mimetypes.guess_type(target.name)[0] or "application/octet-stream"
        # kept by the browser: the next study opens without compiling the viewer again
        self._send(200, {"Content-Type": kind, "Cache-Control": "max-age=3600"}, target.read_bytes())

    def _from_archive(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        asked = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        archive = http.client.HTTPConnection(LOOPBACK, self.archive_port, timeout=60)
        try:
            # the browser's own Host: the links that Orthanc writes lead back here
            archive.request(self.command, self.path, body=self.rfile.read(size) if size else None, headers=asked)
            answer = archive.getresponse()
            body = answer.read()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
            self._send(answer.status, headers, body)
        finally:
            archive.close()

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        # isolated from other origins the page may share memory with its workers, which volumes need
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)
