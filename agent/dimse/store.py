"""C-STORE of bytes as they are: no dataset is decoded or encoded on the way."""

import time
from collections.abc import Sequence
from io import BytesIO

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, build_context

from agent.core.errors import Transient, Unanswered
from agent.crashpoint import crashpoint
from agent.dimse.association import hold_still
from agent.dimse.part10 import Part


def contexts_for(parts: Sequence[Part]) -> list[PresentationContext]:
    """Return one presentation context for each pair of SOP class and transfer syntax, in order of appearance."""
    pairs = dict.fromkeys((p.sop_class_uid, p.transfer_syntax_uid) for p in parts)
    return [build_context(sop_class, syntax) for sop_class, syntax in pairs]


def context_id(association: Association, part: Part) -> int | None:
    """Return the accepted context of an object, None where the peer refused it."""
    for context in association.accepted_contexts:
        if (context.abstract_syntax, context.transfer_syntax[0]) == (part.sop_class_uid, part.transfer_syntax_uid):
            return context.context_id
    return None


def c_store(association: Association, part: Part, context: int, message_id: int) -> int:
    """Send one C-STORE-RQ (PS3.7 9.3.1) and return the status of its response.

    pynetdicom's `send_c_store` would decode and encode the dataset, or want it in a file, so the primitive goes to
    the DIMSE provider directly; as there, the reactor pauses so that it cannot take the response away.

    Raises
    ------
    Transient
        If no valid response comes: the peer aborted, or the connection is lost; Unanswered if time ran out.
    """
    if not association.is_established:
        raise Transient("the association ended before everything was sent")
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 2  # low, as pynetdicom's own
    request.AffectedSOPClassUID = UID(part.sop_class_uid)
    request.AffectedSOPInstanceUID = UID(part.sop_instance_uid)
    request.DataSet = BytesIO(part.dataset)
    hold_still(association)
    began = time.monotonic()
    try:
        association.dimse.send_msg(request, context)
        crashpoint("dimse.after_request")
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    status = response.Status if isinstance(response, C_STORE) else None
    if status is None:
        association.abort()
        if time.monotonic() - began >= (association.dimse_timeout or 0):
            raise Unanswered("no response to C-STORE: time ran out")
        raise Transient("no response to C-STORE: the peer ended the association")
    return status
