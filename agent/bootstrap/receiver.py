"""The receiver process: the DICOM listener, the HL7 listener and the spool, nothing else."""

import resource
import time
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from agent.bootstrap.common import Stop, patience_s, utc_now
from agent.bootstrap.tls import server_context
from agent.config import Config, network
from agent.core.errors import Transient
from agent.receive import Hl7Listener, Hl7Rules, Hl7Settings, Peer, Receiver, ReceiverSettings, TlsListener
from agent.receive.negotiation import storage_sop_class
from agent.spool import SpoolWriter, max_object_bytes_of, segment_bytes_of, set_aside

HL7_AGAIN_S = 10.0
_FILES_OF_ASSOCIATION: Final = 3  # its socket, what wakes it, its segment
_OTHER_FILES: Final = 256


def run_receiver(config: Config, stop: Stop) -> None:
    """Listen until asked to stop, then let open associations end."""
    storage = config.storage
    limit_bytes = int(storage.spool_bytes)
    spool = SpoolWriter(
        storage.spool,
        limit_bytes=limit_bytes,
        beside=partial(set_aside, storage.spool, limit_bytes),
        segment_bytes=segment_bytes_of(limit_bytes, _users(config)),
        max_object_bytes=max_object_bytes_of(limit_bytes),
        refuse_below_free_bytes=int(storage.refuse_below_free_bytes),
        now=utc_now,
    )
    _let_open(config)
    receiver = Receiver(_settings(config), spool)
    receiver.start()
    settings = _hl7_settings(config)
    hl7 = Hl7Listener(settings, receiver.journal, utc_now) if settings else None
    if hl7:
        _start(hl7, stop)
    stop.wait_for_ever()
    patience, begun = patience_s(config.operate.drain_s), time.monotonic()
    if hl7:
        hl7.stop(patience / 4)
    receiver.stop(max(patience - (time.monotonic() - begun), 0))
    spool.close()


def _users(config: Config) -> int:
    """Return how many associations and HL7 connections may write at once, each to a segment of its own."""
    return config.dicom.max_associations + (config.hl7.max_connections if config.hl7 else 0)


def _start(hl7: Hl7Listener, stop: Stop) -> None:
    """Start listening for messages, as soon as it is possible: images come in meanwhile."""
    said = ""
    while not stop.requested:
        try:
            hl7.start()
            return
        except Transient as exc:
            if str(exc) != said:
                structlog.get_logger().error("hl7_not_listening", reason=str(exc))
            said = str(exc)
        stop.wait(HL7_AGAIN_S)


def _settings(config: Config) -> ReceiverSettings:
    dicom, tls = config.dicom, config.dicom.tls
    return ReceiverSettings(
        ae_title=dicom.ae_title,
        bind=dicom.bind,
        port=dicom.port,
        peers=tuple(receiver_peer(peer) for peer in dicom.peers),
        accept_from=dicom.accept_from,
        max_associations=dicom.max_associations,
        max_associations_per_peer=dicom.max_associations_per_peer,
        max_waiting=dicom.max_waiting,
        max_pdu_bytes=dicom.max_pdu_bytes,
        idle_timeout_s=dicom.idle_timeout_s,
        pdu_timeout_s=dicom.pdu_timeout_s,
        message_timeout_s=dicom.message_timeout_s,
        max_unfinished_bytes=int(config.storage.spool_bytes) // 2,
        tls=TlsListener(tls.bind, tls.port, server_context(tls)) if tls else None,
    )


def receiver_peer(peer: network.Peer) -> Peer:
    """Return a peer as the receiver takes it. Raises ValueError if its subject or a SOP class cannot be meant."""
    named = peer.sop_classes
    sop_classes = None if named is None else frozenset(storage_sop_class(name) for name in named)
    return Peer(peer.ae_title, peer.host, peer.may, peer.certificate_subject, sop_classes)


def _let_open(config: Config) -> None:
    """Raise the number of files that may be open to what the limits of the listeners come to."""
    dicom = config.dicom
    needed = dicom.max_waiting + _FILES_OF_ASSOCIATION * dicom.max_associations + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        structlog.get_logger().warning("too_few_files_may_be_open", needed=needed, allowed=allowed)


def _hl7_settings(config: Config) -> Hl7Settings | None:
    hl7 = config.hl7
    if hl7 is None:
        return None
    return Hl7Settings(
        bind=hl7.bind,
        port=hl7.port,
        accept_from=hl7.accept_from,
        max_message_bytes=int(hl7.max_message_bytes),
        max_connections=hl7.max_connections,
        idle_timeout_s=hl7.idle_timeout_s,
        rules=Hl7Rules(
            issuers=hl7.issuers,
            site_issuer=config.site.issuer_of_patient_id,
            zone=ZoneInfo(config.site.time_zone),
            identifier_types=hl7.identifier_types,
        ),
    )
