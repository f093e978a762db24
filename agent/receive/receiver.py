"""The DICOM receiver: a Storage and Verification SCP that acknowledges only what is durable."""

import logging
import ssl
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
from agent.receive.admission import Account
from agent.receive.complaints import Complaints
from agent.receive.gate import Gate
from agent.receive.handlers import bound
from agent.receive.intake import MAX_UID_LENGTH
from agent.receive.journal import AssociationLog, Journal, Spool
from agent.receive.settings import ReceiverSettings
from agent.receive.transport import StoreAssociation, StoreServer
from agent.receive.unfinished import Unfinished

_ABORT_WITHIN_S: Final = 1.0
_NO_LIMIT: Final = 1 << 30
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
        self._spool = spool
        self._unfinished = Unfinished(lambda: min(settings.max_unfinished_bytes, spool.usable_bytes() // 2))
        self._servers: list[StoreServer] = []
        self._complaints = Complaints()
        self._gate: Gate | None = None

    def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        Transient
            If the address cannot be listened on.
        """
        quiet_pynetdicom()
        try:
            self._journal.start()
        except Transient as error:
            _log.error("receiver_start_not_recorded_yet", reason=str(error))
        self._servers = servers = self._listen()
        self._gate = Gate(self._settings, list(servers), self._spool.has_free_disk, self._between, self._complaints)
        self._gate.start()
        for server in servers:
            _log.info("listening", bind=server.server_address[0], port=server.server_address[1], tls=bool(server.tls))

    @property
    def port(self) -> int:
        """The port listened on, without TLS."""
        return self._port(has_tls=False)

    @property
    def tls_port(self) -> int:
        """The port listened on for TLS."""
        return self._port(has_tls=True)

    @property
    def waiting(self) -> int:
        """Connections that have not asked for an association yet, or were told no."""
        return self._gate.waiting if self._gate else 0

    @property
    def associations(self) -> list[StoreAssociation]:
        """The associations that are open."""
        return cast(list[StoreAssociation], [one for server in self._running() for one in server.active_associations])

    @property
    def journal(self) -> Journal:
        """The records of this run, for what else the process listens to."""
        return self._journal

    def stop(self, drain_s: float) -> None:
        """Take no more associations, give open ones `drain_s` seconds to end, then abort them."""
        self._running()
        assert self._gate is not None  # noqa: S101 - it is made with the servers
        self._gate.stop()
        associations = self.associations
        deadline = time.monotonic() + drain_s
        for association in associations:
            if association.is_requested:
                association.join(max(deadline - time.monotonic(), 0))
        _end([association for association in associations if association.is_alive()])
        self._journal.catch_up(at_once=True)
        self._complaints.sum_up(at_once=True)
        self._servers = []

    def _between(self) -> None:
        """Do what is due between connections."""
        self._journal.catch_up()

    def _new_log(self, account: Account) -> AssociationLog:
        return self._journal.association(lambda channel: self._unfinished.counted(channel, account))

    def _port(self, *, has_tls: bool) -> int:
        for server in self._running():
            if bool(server.tls) == has_tls:
                return server.server_address[1]
        raise Transient(f"there is no port {'for' if has_tls else 'without'} TLS")

    def _running(self) -> list[StoreServer]:
        if not self._servers:
            raise Transient("the receiver is not running")
        return self._servers

    def _listen(self) -> list[StoreServer]:
        settings = self._settings
        ae = ApplicationEntity(settings.ae_title)
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_associations = _NO_LIMIT  # the gate counts
        ae.maximum_pdu_size = settings.max_pdu_bytes
        ae.network_timeout = settings.idle_timeout_s
        ae.acse_timeout = settings.pdu_timeout_s
        handlers = bound()
        places: list[tuple[str, int, ssl.SSLContext | None]] = []
        if settings.port is not None:
            places.append((settings.bind, settings.port, None))
        if settings.tls is not None:
            places.append((settings.tls.bind, settings.tls.port, settings.tls.context))
        servers: list[StoreServer] = []
        for bind, port, tls in places:
            try:
                server = StoreServer(
                    ae,
                    settings,
                    at=(bind, port),
                    tls=tls,
                    evt_handlers=handlers,
                    new_log=self._new_log,
                    complaints=self._complaints,
                )
            except OSError as error:
                for one in servers:
                    one.server_close()
                raise Transient(f"cannot listen on {bind}:{port}: {error.strerror}") from error
            servers.append(server)
        return servers


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
    """Set pynetdicom's own switches: it logs nothing, for it would log identifiers.

    UIDs that break the rules (too long, with letters) come from real modalities. Aborting for one would hold up all
    that its sender has queued behind it, so they are taken as they are.
    """
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", message="Invalid value for VR UI|The value length .* for VR UI")
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.VALIDATORS["UI"] = _is_bearable_uid


def _is_bearable_uid(uid: object) -> tuple[bool, str]:
    return isinstance(uid, str) and 0 < len(uid) <= MAX_UID_LENGTH, "neither a UID nor anything like it"
