"""What the receiver is told: its name and address, and who may send what."""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from agent.receive.certificate import CertificateNames, parse_subject

Service = Literal["store", "echo", "commit"]
ALL_SERVICES: frozenset[Service] = frozenset({"store", "echo", "commit"})


@dataclass(frozen=True, slots=True)
class Peer:
    """One AE that may call.

    Parameters
    ----------
    ae_title
        Its calling AE title.
    host
        IP address or network (CIDR) that it calls from.
    may
        What it may do: "store" C-STORE, "echo" C-ECHO, "commit" N-EVENT-REPORT of storage commitment.
    certificate_subject
        The certificate that it shows, see `CertificateNames.is_called`; it may then call over TLS alone. Without it a
        certificate over TLS names the AE title.
    sop_classes
        UIDs of the storage SOP classes that it may store; None: all.

    Raises
    ------
    ValueError
        If `host` or `certificate_subject` is not of this form.
    """

    ae_title: str
    host: str
    may: frozenset[Service]
    certificate_subject: str | None = None
    sop_classes: frozenset[str] | None = None

    def __post_init__(self) -> None:
        self.network()
        if self.certificate_subject is not None and "=" in self.certificate_subject:
            parse_subject(self.certificate_subject)

    def network(self) -> IPv4Network | IPv6Network:
        """Return the addresses it calls from."""
        return _network(self.host)

    def is_at(self, address: str) -> bool:
        """Tell whether an IP address is one of its own."""
        called_from = ip_address(address)
        mapped = getattr(called_from, "ipv4_mapped", None)
        return (mapped or called_from) in self.network()

    def shows(self, certificate: CertificateNames | None) -> bool:
        """Tell whether a certificate is its own; None is a connection without TLS."""
        if certificate is None:
            return self.certificate_subject is None
        return certificate.is_called(self.certificate_subject or self.ae_title.strip())


@lru_cache(maxsize=1024)
def _network(host: str) -> IPv4Network | IPv6Network:
    return ip_network(host, strict=False)


@dataclass(frozen=True, slots=True)
class TlsListener:
    """Where DICOM over TLS is listened for. `context` is a server's that demands a certificate of the client."""

    bind: str
    port: int
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The receiver's settings. `port` 0 takes a free one; with None nobody is listened to without TLS.

    `max_pdu_bytes` bounds what a sender may put in one PDU, `max_waiting` the connections that have not yet sent a
    whole association request.
    """

    ae_title: str
    bind: str
    port: int | None
    peers: tuple[Peer, ...]
    accept_from: Literal["listed", "any"] = "listed"
    max_associations: int = 64
    max_associations_per_peer: int = 16
    max_waiting: int = 512
    max_pdu_bytes: int = 131072
    idle_timeout_s: float = 300.0  # between messages
    pdu_timeout_s: float = 25.0  # a PDU once begun; a connection until its association request, TLS included
    message_timeout_s: float = 3600.0  # a message once begun
    # of objects that have begun: at most this, and half of what the spool may take; of each peer half of either
    max_unfinished_bytes: int = 10 << 30
    tls: TlsListener | None = None
