"""C-STORE operations that are under way on one association, answered in any order (PS3.7 D.3.3.3).

pynetdicom's `send_c_store` would decode and encode the dataset, or want it in a file, and waits for each response; so
the requests go to its DIMSE provider directly. As there, its reactor stands still meanwhile, so that it cannot take a
response away.
"""

import queue
import time
from io import BytesIO
from types import TracebackType
from typing import Any, Final

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_RELEASE

from agent.core.errors import Transient, Unanswered
from agent.dimse.still import AssociationLost, hold_still, message_ids

_LOOK_S: Final = 0.5  # how often to look whether the peer would rather end the association than answer
_DRAIN_S: Final = 0.0002
_LARGE: Final = 1 << 18  # bytes of a dataset that are on their way before the next object is looked at


class Flight:
    """Requests on an open association, of which there is one `Flight` for all of them: no Message ID comes twice.

    Leaving the block while some are unanswered aborts the association.
    """

    def __init__(self, opened: Association) -> None:
        invoked, _ = opened.acceptor.asynchronous_operations
        asked, _ = opened.requestor.asynchronous_operations
        self.window = min(invoked or asked, asked)  # 0: as many as we like
        self.opened = opened
        self.is_implicit = False  # something was sent in the default transfer syntax instead of its own
        self._message_ids = message_ids()
        self._unanswered: dict[int, str] = {}  # SOP Instance UIDs by Message ID

    def __enter__(self) -> "Flight":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._unanswered:
            self.opened.abort()
        self.opened._reactor_checkpoint.set()

    @property
    def has_answer(self) -> bool:
        """Whether `answer` would not wait."""
        return not self.opened.dimse.msg_queue.empty()

    def next_message_id(self) -> int:
        """Return the Message ID of a request that is sent by other means."""
        return next(self._message_ids)

    def send(self, request: C_STORE, dataset: memoryview, context: int) -> int:
        """Send a request and its dataset, and return the Message ID that it got.

        Raises
        ------
        AssociationLost
            If the association is over.
        Transient
            If something came before it that nobody asked for.
        """
        if not self._unanswered:
            hold_still(self.opened)
        message_id = self.next_message_id()
        request.MessageID = message_id
        request.DataSet = BytesIO(dataset)
        self._unanswered[message_id] = str(request.AffectedSOPInstanceUID)
        self.opened.dimse.send_msg(request, context)
        if self.window > 1 and len(dataset) > _LARGE:
            self._drain()
        return message_id

    def answer(self) -> tuple[int, int]:
        """Wait for the next response and return the Message ID that it responds to, and its status.

        Raises
        ------
        AssociationLost
            If the peer ended the association.
        Unanswered
            If nothing comes in time.
        Transient
            If something comes that is no response to any of the requests, or names another object than its request.
        """
        response = self._next()
        message_id = response.MessageIDBeingRespondedTo if isinstance(response, C_STORE) else None
        status = response.Status if isinstance(response, C_STORE) else None
        if message_id not in self._unanswered or status is None:
            raise Transient("no response to C-STORE, but another message")
        named = response.AffectedSOPInstanceUID  # the peer may leave it out (PS3.7 table 9.3-2)
        if named and str(named).strip("\0 ") != self._unanswered[message_id]:
            raise Transient("a response to C-STORE that names another object than its request")
        del self._unanswered[message_id]
        if not self._unanswered:
            self.opened._reactor_checkpoint.set()
        return message_id, status

    def _next(self) -> Any:
        waited, timeout = 0.0, self.opened.dimse_timeout or 0.0
        while waited < timeout:
            look = min(_LOOK_S, timeout - waited)
            try:
                _, message = self.opened.dimse.msg_queue.get(timeout=look)
            except queue.Empty:
                waited += look
                if isinstance(self.opened.dul.peek_next_pdu(), A_RELEASE):
                    break
                continue
            if message is None:
                break
            return message
        else:
            raise Unanswered(f"no response to C-STORE within {timeout:g} s")
        raise AssociationLost("no response to C-STORE: the peer ended the association")

    def _drain(self) -> None:
        """Wait until the request is on its way: pynetdicom reads no response while it has something to send."""
        dul = self.opened.dul
        while dul.is_alive() and not dul.to_provider_queue.empty():
            time.sleep(_DRAIN_S)
