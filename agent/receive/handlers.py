"""What happens on pynetdicom's events of an association, at its beginning and end. What lies between is the lane's."""

from typing import Any, cast

import structlog
from pynetdicom import evt
from pynetdicom.pdu_primitives import A_ASSOCIATE

from agent.core.errors import Transient
from agent.crashpoint import crashpoint
from agent.receive.negotiation import acceptable, not_permitted
from agent.receive.transport import StoreAssociation

_log = structlog.get_logger()


def bound() -> list[Any]:
    """Return (event, handler) for each event that is handled."""
    return [
        (evt.EVT_REQUESTED, on_requested),
        (evt.EVT_ACCEPTED, on_accepted),
        (evt.EVT_CONN_CLOSE, on_connection_closed),
    ]


def on_requested(event: evt.Event) -> None:
    """Say what of the proposal of an association, which the gate has admitted, is supported."""
    association = _of(event)
    request = cast(A_ASSOCIATE, association.requestor.primitive)
    proposed = request.presentation_context_definition_list
    if turned_away := not_permitted(proposed, association.sop_classes):
        _tell_not_permitted(association, turned_away)
    association.acceptor.supported_contexts = acceptable(proposed, association.sop_classes)


def on_accepted(event: evt.Event) -> None:
    """Record the association. Where that fails it goes on, for C-ECHO must answer on a full disk."""
    association = _of(event)
    association.opened()
    crashpoint("receive.association_accepted")
    parties = association.parties
    _log.info(
        "association_opened",
        association_id=association.log.association_id,
        peer=parties["peer"],
        calling_ae_title=parties["calling_ae_title"],
    )
    try:
        association.log.open(parties)
    except Transient as error:
        association.complain("association_not_recorded_yet", str(error), level="error")


def on_connection_closed(event: evt.Event) -> None:
    """Let go of a connection that ended before it asked for anything, rather than wait for its timeout."""
    association = _of(event)
    if not association.is_requested:
        association.wake()


def _tell_not_permitted(association: StoreAssociation, sop_classes: list[str]) -> None:
    """Say how many there are, and which it is where it is one; each of them has a line of its own at level debug."""
    ids: dict[str, Any] = {"calling_ae_title": association.parties["calling_ae_title"], "count": len(sop_classes)}
    if len(sop_classes) == 1:
        ids["sop_class_uid"] = sop_classes[0]
    association.complain("sop_class_not_permitted", "storage SOP classes beyond those of this peer", **ids)
    for uid in sop_classes:
        _log.debug("sop_class_not_permitted", association_id=association.log.association_id, sop_class_uid=uid)


def _of(event: evt.Event) -> StoreAssociation:
    association = event.assoc
    assert isinstance(association, StoreAssociation)  # noqa: S101 - the server makes no others
    return association
