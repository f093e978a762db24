"""The DICOM receiver: a Storage and Verification SCP that acknowledges only what is durable."""

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Final, cast
from uuid import UUID, uuid4

import structlog
from pydicom.uid import UID
from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity

from agent.core.errors import Transient
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.receive.handlers import Handlers
from agent.receive.intake import MAX_UID_LENGTH
from agent.receive.journal import Journal, Spool
from agent.receive.negotiation import register_storage_sop_classes
from agent.receive.settings import ReceiverSettings
from agent.receive.transport import StoreAssociation, StoreServer

_ABORT_WITHIN_S: Final = 1.0
_log = structlog.get_logger()


class Receiver:
    """Accepts associations and puts what arrives into the spool, undecoded. It needs no database.

    Parameters
    ----------
    settings
        Name, address, peers and limits.
    spool
        Where records go.
    new_run_id
        Identity of this run; association ids are "<run id>/<n>".
    """

    def __init__(self, settings: ReceiverSettings, spool: Spool, new_run_id: Callable[[], UUID] = uuid4) -> None:
        self._settings = settings
        self._journal = Journal(spool, new_run_id())
        self._server: StoreServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        Transient
            If the address cannot be listened on.
        """
        quiet_pynetdicom()
        register_storage_sop_classes()
        try:
            self._journal.start()
        except Transient as error:
            _log.error("receiver_start_not_recorded_yet", reason=str(error))
        self._server = self._listen()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receiver", daemon=True)
        self._thread.start()
        _log.info("listening", bind=self._settings.bind, port=self.port)

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._running().server_address[1]

    @property
    def journal(self) -> Journal:
        """The records of this run, for what else the process listens to."""
        return self._journal

    def stop(self, drain_s: float) -> None:
        """Take no more associations, give open ones `drain_s` seconds to end, then abort them."""
        server = self._running()
        before = server.active_associations
        server.shutdown()
        associations = cast(list[StoreAssociation], list({*before, *server.active_associations}))
        deadline = time.monotonic() + drain_s
        for association in associations:
            if association.is_requested:
                association.join(max(deadline - time.monotonic(), 0))
        _end([association for association in associations if association.is_alive()])
        self._journal.catch_up(at_once=True)
        self._server = None

    def _running(self) -> StoreServer:
        if self._server is None:
            raise Transient("the receiver is not running")
        return self._server

    def _listen(self) -> StoreServer:
        settings = self._settings
        ae = ApplicationEntity(settings.ae_title)
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_associations = settings.max_associations
        ae.maximum_pdu_size = settings.max_pdu_bytes
        ae.network_timeout = settings.idle_timeout_s
        ae.acse_timeout = settings.pdu_timeout_s
        ae.dimse_timeout = settings.idle_timeout_s
        handlers = Handlers(settings, self._journal).bound()
        try:
            return StoreServer(ae, settings, handlers, self._journal.association, self._journal.catch_up)
        except OSError as error:
            raise Transient(f"cannot listen on {settings.bind}:{settings.port}: {error.strerror}") from error


def _end(associations: Sequence[StoreAssociation]) -> None:
    """Abort associations. One that waits for the rest of a PDU hears of it only when its connection is cut."""
    for association in associations:
        association.abort(block=False) if association.is_requested else association.wake()
    _join(associations)
    for association in associations:
        association.cut()
    _join(associations)


def _join(associations: Sequence[StoreAssociation]) -> None:
    deadline = time.monotonic() + _ABORT_WITHIN_S
    for association in associations:
        association.join(max(deadline - time.monotonic(), 0))


def quiet_pynetdicom() -> None:
    """Set pynetdicom's own switches: it logs nothing (it would log identifiers), and decodes no object.

    UIDs that break the rules (too long, with letters) come from real modalities. Aborting for one would hold up all
    that its sender has queued behind it, so they are taken as they are.
    """
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", message="Invalid value for VR UI|The value length .* for VR UI")
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.STORE_RECV_CHUNKED_DATASET = False
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.VALIDATORS["UI"] = _is_bearable_uid


def _is_bearable_uid(uid: object) -> tuple[bool, str]:
    return isinstance(uid, str) and 0 < len(uid) <= MAX_UID_LENGTH, "neither a UID nor anything like it"
