"""TLS as PS3.15 annex B.12 has it (BCP 195: RFC 8996, RFC 9325), made of the files that the configuration names."""

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent.bootstrap.certificates import validities
from agent.bootstrap.common import secret
from agent.config.network import TlsFiles
from agent.core.errors import Permanent

CIPHERS: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
"""What TLS 1.2 may use: RFC 9325 section 4.2. TLS 1.3 has no other than good ones."""

WARN_BEFORE: Final = timedelta(days=30)
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_FORBIDDEN: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what makes a TLS server, that takes only clients with a certificate of the CA.

    Raises
    ------
    Permanent
        If a file cannot be used; says which, and why.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.num_tickets = 0  # each association shows its certificate
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what makes a TLS client, that talks only to a server with a certificate of the CA and of its own name.

    Raises
    ------
    Permanent
        If a file cannot be used; says which, and why.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def tls_problems(files: TlsFiles, now: datetime) -> Iterator[tuple[str, str, bool]]:
    """Yield (key, what is wrong, whether serving is possible all the same) for what the files say."""
    try:
        server_context(files)
    except Permanent as error:
        yield "", str(error), False
        return
    for key, path, least in (("certificate", files.certificate, True), ("ca", files.ca, False)):
        try:
            moments = validities(path.read_text(encoding="ascii", errors="replace"))
        except ValueError as error:
            yield key, f"{path}: {error}", False
            continue
        begins = max(first for first, _ in moments) if least else min(first for first, _ in moments)
        ends = min(last for _, last in moments) if least else max(last for _, last in moments)
        if begins > now:
            yield key, f"{path} is valid only from {begins:%Y-%m-%d %H:%M} UTC on", True
        if ends <= now:
            yield key, f"{path} expired on {ends:%Y-%m-%d %H:%M} UTC: no peer will accept it; renew it", True
        elif ends <= now + WARN_BEFORE:
            yield key, f"{path} expires on {ends:%Y-%m-%d %H:%M} UTC, in {(ends - now).days} days: renew it", True


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    for path in (files.certificate, files.key, files.ca):
        _check_readable(path)
    _check_kept_secret(files.key)
    context = ssl.SSLContext(protocol)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = _VERSIONS[files.min_version]
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    password = secret(files.key_password_env) or ""  # without one OpenSSL would ask the terminal
    try:
        context.load_cert_chain(files.certificate, files.key, password)
    except (ssl.SSLError, OSError) as error:
        raise Permanent(
            f"{files.certificate} and {files.key} are not a certificate and its key in PEM form"
            f" ({_reason(error)}){_of_password(files)}"
        ) from None
    try:
        context.load_verify_locations(files.ca)
    except (ssl.SSLError, OSError) as error:
        raise Permanent(f"{files.ca} holds no certificate in PEM form ({_reason(error)})") from None
    return context


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise Permanent(f"{path} cannot be read: {error.strerror}") from None


def _check_kept_secret(key: Path) -> None:
    mode = stat.S_IMODE(os.stat(key).st_mode)
    if mode & _FORBIDDEN:
        raise Permanent(f"{key} is not kept secret (mode {mode:04o}): chmod 600 {key}")


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or "unreadable").lower().replace("_", " ")


def _of_password(files: TlsFiles) -> str:
    if "ENCRYPTED" not in files.key.read_text(encoding="ascii", errors="replace"):
        return ""
    return "; the key is encrypted: key_password_env names the environment variable that holds its password"
