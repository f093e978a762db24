"""What the receiver is told: its name and address, and who may send what."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

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

    Raises
    ------
    ValueError
        If `host` is neither.
    """

    ae_title: str
    host: str
    may: frozenset[Service]

    def __post_init__(self) -> None:
        self.network()

    def network(self) -> IPv4Network | IPv6Network:
        """Return the addresses it calls from."""
        return ip_network(self.host, strict=False)

    def is_at(self, address: str) -> bool:
        """Tell whether an IP address is one of its own."""
        called_from = ip_address(address)
        mapped = getattr(called_from, "ipv4_mapped", None)
        return (mapped or called_from) in self.network()


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The receiver's settings. `port` 0 takes a free one; `max_pdu_bytes` bounds what a sender may put in one PDU."""

    ae_title: str
    bind: str
    port: int
    peers: tuple[Peer, ...]
    accept_from: Literal["listed", "any"] = "listed"
    max_associations: int = 64
    max_pdu_bytes: int = 131072
    idle_timeout_s: float = 300.0  # between messages
    pdu_timeout_s: float = 30.0  # a PDU once begun; a connection until its association request
