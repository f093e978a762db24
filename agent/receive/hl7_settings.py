"""What the HL7 listener is told: its address, who may call, and whose numbers identify a patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from ipaddress import ip_address, ip_network
from typing import Final

IDENTIFIER_TYPES: Final = ("MR", "PI", "PT")
"""HL7 table 0203: medical record number, internal and external identifier of a patient."""


@dataclass(frozen=True, slots=True)
class Hl7Rules:
    """How a message is understood.

    Parameters
    ----------
    issuers
        Assigning authority (CX.4, its namespace or its universal ID) to Issuer of Patient ID.
    site_issuer
        Issuer of identifiers that name no authority; without it they identify nobody.
    zone
        Where times are read that say no offset.
    identifier_types
        Types (CX.5) that can be a Patient ID, best first; one without a type comes last.
    """

    issuers: Mapping[str, str] = field(default_factory=dict)
    site_issuer: str | None = None
    zone: tzinfo = UTC
    identifier_types: tuple[str, ...] = IDENTIFIER_TYPES


@dataclass(frozen=True, slots=True)
class Hl7Settings:
    """The listener's settings. `port` 0 takes a free one; a longer message or more connections are turned away.

    Raises
    ------
    ValueError
        If `accept_from` holds what is no network.
    """

    bind: str = "127.0.0.1"
    port: int = 2575
    accept_from: tuple[str, ...] = ("127.0.0.0/8",)
    max_message_bytes: int = 1 << 20
    max_connections: int = 64
    idle_timeout_s: float = 3600.0  # from the end of one message to the end of the next
    rules: Hl7Rules = field(default_factory=Hl7Rules)

    def __post_init__(self) -> None:
        for network in self.accept_from:
            ip_network(network, strict=False)

    def admits(self, address: str) -> bool:
        """Tell whether an IP address may call."""
        called_from = ip_address(address)
        called_from = getattr(called_from, "ipv4_mapped", None) or called_from
        return any(called_from in ip_network(network, strict=False) for network in self.accept_from)
