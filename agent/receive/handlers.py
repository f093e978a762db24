"""What happens on each event of an association: admission, C-ECHO, C-STORE, N-EVENT-REPORT, and its bookkeeping.

An association for storage and verification alone meets C-ECHO and C-STORE in the lane (intake.py) instead.
"""

from typing import Any, cast

import structlog
from pynetdicom import evt
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE, N_EVENT_REPORT
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE

from agent.core.errors import Transient
from agent.core.services import STORAGE_COMMITMENT
from agent.crashpoint import crashpoint
from agent.receive.journal import Journal
from agent.receive.negotiation import acceptable, not_permitted
from agent.receive.settings import ReceiverSettings
from agent.receive.statuses import (
    NO_SUCH_SOP_CLASS,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    RESOURCE_LIMITATION,
    SOP_CLASS_NOT_SUPPORTED,
    SUCCESS,
    UNRECOGNIZED_OPERATION,
)
from agent.receive.transport import StoreAssociation

_log = structlog.get_logger()


class Handlers:
    """pynetdicom calls these: one instance serves all associations, and keeps no state of any."""

    def __init__(self, settings: ReceiverSettings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal

    def bound(self) -> list[Any]:
        """Return (event, handler) for each event that is handled."""
        return [
            (evt.EVT_REQUESTED, self.on_requested),
            (evt.EVT_ACCEPTED, self.on_accepted),
            (evt.EVT_ESTABLISHED, self.on_established),
            (evt.EVT_C_ECHO, self.on_echo),
            (evt.EVT_C_STORE, self.on_store),
            (evt.EVT_N_EVENT_REPORT, self.on_event_report),
            (evt.EVT_N_ACTION, self.on_action),
            (evt.EVT_DIMSE_SENT, self.on_dimse_sent),
            (evt.EVT_PDU_SENT, self.on_pdu_sent),
            (evt.EVT_CONN_CLOSE, self.on_connection_closed),
        ]

    def on_requested(self, event: evt.Event) -> None:
        """Say what of the proposal of an association, which the gate has admitted, is supported."""
        association = _of(event)
        request = cast(A_ASSOCIATE, association.requestor.primitive)
        proposed = request.presentation_context_definition_list
        if turned_away := not_permitted(proposed, association.sop_classes):
            _log.warning(
                "sop_class_not_permitted",
                association_id=association.log.association_id,
                peer=association.requestor.address,
                calling_ae_title=association.parties["calling_ae_title"],
                sop_class_uid=turned_away[0],
                count=len(turned_away),
            )
        association.acceptor.supported_contexts = acceptable(proposed, association.sop_classes)

    def on_accepted(self, event: evt.Event) -> None:
        """Record the association. Where that fails it goes on, for C-ECHO must answer on a full disk."""
        association = _of(event)
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
            _log.error("association_not_recorded_yet", association_id=association.log.association_id, reason=str(error))

    def on_established(self, event: evt.Event) -> None:
        """Let responses out: pynetdicom drops those of an association that it does not yet call established."""
        _of(event).established.set()

    def on_echo(self, event: evt.Event) -> int:
        """Answer C-ECHO."""
        return SUCCESS if "echo" in _of(event).may else NOT_AUTHORIZED

    def on_store(self, event: evt.Event) -> int:
        """Append the object as it came, and answer Success only when it is durable."""
        association = _of(event)
        if "store" not in association.may:
            return NOT_AUTHORIZED
        request = cast(C_STORE, event.request)
        uid = str(request.AffectedSOPInstanceUID)
        sop_class = str(request.AffectedSOPClassUID)
        if association.sop_classes is not None and sop_class not in association.sop_classes:
            return SOP_CLASS_NOT_SUPPORTED
        log = _log.bind(sop_instance_uid=uid, association_id=association.log.association_id)
        meta = {
            **association.parties,
            "sop_class_uid": sop_class,
            "sop_instance_uid": uid,
            "transfer_syntax_uid": str(event.context.transfer_syntax),
        }
        try:
            association.log.store(meta, event.encoded_dataset(include_meta=False))
        except Transient as error:
            log.error("instance_refused", reason=str(error))
            return OUT_OF_RESOURCES
        log.info("instance_stored")
        return SUCCESS

    def on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Record a storage commitment result (PS3.4 section J.3.3), not decoded."""
        association = _of(event)
        association.established.wait(self._settings.pdu_timeout_s)  # this is another thread: it may be ahead
        if "commit" not in association.may:
            return NOT_AUTHORIZED, None
        if event.context.abstract_syntax != STORAGE_COMMITMENT:
            return NO_SUCH_SOP_CLASS, None
        request = cast(N_EVENT_REPORT, event.request)
        meta = {
            "association_id": association.log.association_id,
            "event_type_id": str(request.EventTypeID),
            "transfer_syntax_uid": str(event.context.transfer_syntax),
        }
        information = request.EventInformation
        try:
            self._journal.report(meta, information.getvalue() if information else b"")
        except Transient as error:
            _log.error("event_report_refused", association_id=association.log.association_id, reason=str(error))
            return RESOURCE_LIMITATION, None
        crashpoint("receive.after_event_report")
        return SUCCESS, None

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        """Refuse to commit to storage: this is no archive."""
        return UNRECOGNIZED_OPERATION, None

    def on_dimse_sent(self, event: evt.Event) -> None:
        """Note that a successful C-STORE response is on its way to the socket."""
        message = event.message
        if isinstance(message, C_STORE_RSP) and message.command_set.Status == SUCCESS:
            _of(event).is_acknowledging = True

    def on_pdu_sent(self, event: evt.Event) -> None:
        """Mark the boundary behind the acknowledgement: the sender may now forget the object."""
        association = _of(event)
        if association.is_acknowledging and isinstance(event.pdu, P_DATA_TF):
            association.is_acknowledging = False
            crashpoint("receive.after_success")

    def on_connection_closed(self, event: evt.Event) -> None:
        """Let go of a connection that ended before it asked for anything, rather than wait for its timeout."""
        association = _of(event)
        if not association.is_requested:
            association.wake()


def _of(event: evt.Event) -> StoreAssociation:
    association = event.assoc
    assert isinstance(association, StoreAssociation)  # noqa: S101 - the server makes no others
    return association
