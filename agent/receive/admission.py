"""Who may open an association, and what may be done over it. Pure."""

import struct
from dataclasses import dataclass
from enum import Enum

from agent.receive.certificate import CertificateNames
from agent.receive.settings import ALL_SERVICES, Peer, ReceiverSettings, Service

Account = tuple[str, str]


class Refusal(Enum):
    """Why an association is rejected: result, source and reason of PS3.8 section 9.3.4, and what it is about."""

    CALLING_AE_TITLE_NOT_RECOGNIZED = (1, 1, 3, "permanent, by the user")
    CALLED_AE_TITLE_NOT_RECOGNIZED = (1, 1, 7, "permanent, by the user")
    TOO_MANY_ASSOCIATIONS = (2, 3, 2, "transient, local limit exceeded: of associations")
    TOO_MANY_OF_THIS_PEER = (2, 3, 2, "transient, local limit exceeded: of this peer's associations")
    TOO_LITTLE_DISK = (2, 3, 2, "transient, local limit exceeded: of free bytes")

    @property
    def pdu(self) -> bytes:
        """Return the A-ASSOCIATE-RJ PDU."""
        return struct.pack(">BxIx3B", 3, 4, *self.value[:3])


@dataclass(frozen=True, slots=True)
class Permit:
    """What an association may do.

    Parameters
    ----------
    may
        The services.
    sop_classes
        UIDs of the storage SOP classes that may be stored; None: all.
    account
        Whose association it is when those of each peer are counted: an AE title's, from wherever it may call, or where
        AE titles count for nothing an address's.
    """

    may: frozenset[Service]
    sop_classes: frozenset[str] | None
    account: Account


def is_known(settings: ReceiverSettings, address: str) -> bool:
    """Tell whether any peer could call from an address, whatever it shows then."""
    return settings.accept_from == "any" or any(peer.is_at(address) for peer in settings.peers)


def is_expected(settings: ReceiverSettings, address: str, certificate: CertificateNames | None = None) -> bool:
    """Tell whether any peer could call from an address with a certificate, whatever its AE title; None: without TLS."""
    if settings.accept_from == "any":
        return True
    return any(peer.is_at(address) and peer.shows(certificate) for peer in settings.peers)


def admit(
    settings: ReceiverSettings,
    *,
    called: str,
    calling: str,
    address: str,
    certificate: CertificateNames | None = None,
) -> Permit | Refusal:
    """Return what a caller may do, or why it is turned away.

    Where any may call, one that is listed may still do no more than its entry says.

    Parameters
    ----------
    settings
        The receiver's own name, and its peers.
    called, calling
        The AE titles of the association request; spaces around them do not count.
    address
        The caller's IP address.
    certificate
        What it showed over TLS, verified; None: there is no TLS.
    """
    if called.strip() != settings.ae_title.strip():
        return Refusal.CALLED_AE_TITLE_NOT_RECOGNIZED
    named = [peer for peer in settings.peers if peer.ae_title.strip() == calling.strip()]
    is_open = settings.accept_from == "any"  # then a certificate counts for those alone that say which
    at_home = [peer for peer in named if peer.is_at(address)]
    if is_open and not at_home and not any(peer.certificate_subject for peer in named):
        return Permit(ALL_SERVICES, None, ("", address))
    matching = [p for p in at_home if p.shows(certificate) or (is_open and p.certificate_subject is None)]
    if not matching:
        return Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED
    may = frozenset[Service]().union(*(peer.may for peer in matching))
    return Permit(may, _sop_classes(matching), (calling.strip(), ""))


def _sop_classes(peers: list[Peer]) -> frozenset[str] | None:
    """Add up what may be stored; who may store nothing is told so of each object."""
    allowed = [peer.sop_classes for peer in peers if "store" in peer.may]
    if None in allowed or not allowed:
        return None
    return frozenset[str]().union(*(classes for classes in allowed if classes is not None))
