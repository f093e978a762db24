"""Who may open an association, and what may be done over it. Pure."""

from enum import IntEnum

from agent.receive.settings import ALL_SERVICES, ReceiverSettings, Service


class Refusal(IntEnum):
    """Why an association is rejected, permanently, by the service user: PS3.8 section 9.3.4, Reason/Diag."""

    CALLING_AE_TITLE_NOT_RECOGNIZED = 3
    CALLED_AE_TITLE_NOT_RECOGNIZED = 7


def admit(settings: ReceiverSettings, *, called: str, calling: str, address: str) -> frozenset[Service] | Refusal:
    """Return what a caller may do, or why it is turned away.

    Parameters
    ----------
    settings
        The receiver's own name, and its peers.
    called, calling
        The AE titles of the association request; spaces around them do not count.
    address
        The caller's IP address.
    """
    if called.strip() != settings.ae_title.strip():
        return Refusal.CALLED_AE_TITLE_NOT_RECOGNIZED
    if settings.accept_from == "any":
        return ALL_SERVICES
    matching = [peer.may for peer in settings.peers if peer.ae_title.strip() == calling.strip() and peer.is_at(address)]
    if not matching:
        return Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED
    return frozenset[Service]().union(*matching)
