"""A certification authority of the tests' own: certificates made by `openssl`, and the contexts of clients."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.bootstrap.tls import server_context
from agent.config.network import TlsFiles
from tests.peers import program

_EC: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_DAYS: Final = 365


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates. Another one is another name."""

    def __init__(self, folder: Path, name: str = "Hospital CA") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._own = Signed(folder / "ca.pem", folder / "ca.key")
        ours = ("-x509", *_EC, "-nodes", "-subj", f"/CN={name}", "-days", str(_DAYS))
        _openssl("req", *ours, "-keyout", self._own.key, "-out", self._own.certificate)

    @property
    def ca(self) -> Path:
        """Its own certificate."""
        return self._own.certificate

    def sign(self, subject: str, *, names: str = "", days: int = _DAYS, password: str = "") -> Signed:
        """Return a new certificate. `subject` as openssl writes it (/CN=X); `days` may be negative: it is over."""
        stem = self.folder / str(len(list(self.folder.glob("*.req"))))
        made = Signed(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        kept = ("-passout", f"pass:{password}") if password else ("-nodes",)
        request = stem.with_suffix(".req")
        _openssl("req", "-new", *_EC, *kept, "-subj", subject, "-keyout", made.key, "-out", request)
        extensions = stem.with_suffix(".cnf")
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n", encoding="utf-8")
        signer = ("-CA", self._own.certificate, "-CAkey", self._own.key, "-CAcreateserial")
        _openssl(
            "x509",
            "-req",
            "-in",
            request,
            *signer,
            "-days",
            str(days),
            "-extfile",
            extensions,
            "-out",
            made.certificate,
        )
        return made

    def server(self, **changes: str) -> ssl.SSLContext:
        """Return what makes the receiver's TLS, as the agent makes it."""
        own = self.sign("/CN=SENTINODE", names="IP:127.0.0.1")
        return server_context(self.files(own, **changes))

    def files(self, own: Signed, **changes: object) -> TlsFiles:
        """Return the section of the configuration."""
        return TlsFiles.model_validate({"certificate": own.certificate, "key": own.key, "ca": self.ca, **changes})

    def client(self, own: Signed | None, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return a client's context: with a certificate or without, of all versions or one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        context.check_hostname = False
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        if version is not None:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([program("openssl"), *arguments], check=True, capture_output=True)
