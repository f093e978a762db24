"""What becomes of a connection whose association request is there: who may associate, and what the others are told."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.receive.admission import Permit, Refusal, admit
from agent.receive.caller import Caller
from agent.receive.lane.framing import encode_abort
from agent.receive.negotiation import STORAGE_SOP_CLASSES
from agent.receive.quotas import Place, Quotas
from agent.receive.request import AssociationRequest, MalformedRequest, parse_request
from agent.receive.settings import ReceiverSettings

ABORT: Final = encode_abort()  # PS3.8 table 9-10, action AA-1


@dataclass(frozen=True, slots=True)
class Asked:
    """A caller that may associate: its connection, and its whole request, which is still to be answered."""

    connection: socket.socket
    address: tuple[str, int]
    request: bytes
    permit: Permit
    place: Place


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What a caller that may not is answered, and what the log says of it."""

    answer: bytes
    event: str
    reason: str
    who: Mapping[str, str] = field(default_factory=dict)


class Desk:
    """Decides on association requests.

    Parameters
    ----------
    settings
        Peers and limits.
    has_free_disk
        Whether storage may be proposed.
    """

    def __init__(self, settings: ReceiverSettings, has_free_disk: Callable[[], bool]) -> None:
        self._settings = settings
        self._has_free_disk = has_free_disk
        self._quotas = Quotas(settings.max_associations, settings.max_associations_per_peer)

    def decide(self, caller: Caller) -> Asked | TurnedAway:
        """Decide on a request that is complete; who may associate has a place then, which is to be given back."""
        try:
            request = parse_request(caller.request)
        except MalformedRequest as error:
            return TurnedAway(ABORT, "connection_refused", str(error))
        found = self._verdict(caller, request)
        if isinstance(found, Refusal):
            who = {"calling_ae_title": request.calling}
            return TurnedAway(found.pdu, "association_rejected", found.name.lower(), who)
        return Asked(caller.connection, caller.address, bytes(caller.request), *found)

    def _verdict(self, caller: Caller, request: AssociationRequest) -> tuple[Permit, Place] | Refusal:
        permit = admit(
            self._settings,
            called=request.called,
            calling=request.calling,
            address=caller.peer,
            certificate=caller.certificate,
        )
        if isinstance(permit, Refusal):
            return permit
        if not request.abstract_syntaxes.isdisjoint(STORAGE_SOP_CLASSES) and not self._has_free_disk():
            return Refusal.TOO_LITTLE_DISK
        place = self._quotas.take(permit.account)
        return place if isinstance(place, Refusal) else (permit, place)
