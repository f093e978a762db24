"""The receiver process: the DICOM listener, the HL7 listener and the spool, nothing else."""

import time
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from agent.bootstrap.common import Stop, patience_s, utc_now
from agent.config import Config
from agent.core.errors import Transient
from agent.receive import Hl7Listener, Hl7Rules, Hl7Settings, Peer, Receiver, ReceiverSettings
from agent.spool import SpoolWriter, segment_bytes_of, set_aside

HL7_AGAIN_S = 10.0


def run_receiver(config: Config, stop: Stop) -> None:
    """Listen until asked to stop, then let open associations end."""
    storage = config.storage
    limit_bytes = int(storage.spool_bytes)
    spool = SpoolWriter(
        storage.spool,
        limit_bytes=limit_bytes,
        beside=partial(set_aside, storage.spool, limit_bytes),
        segment_bytes=segment_bytes_of(limit_bytes),
        refuse_below_free_bytes=int(storage.refuse_below_free_bytes),
        now=utc_now,
    )
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
    dicom = config.dicom
    return ReceiverSettings(
        ae_title=dicom.ae_title,
        bind=dicom.bind,
        port=dicom.port,
        peers=tuple(Peer(p.ae_title, p.host, p.may) for p in dicom.peers),
        accept_from=dicom.accept_from,
        max_associations=dicom.max_associations,
        max_pdu_bytes=dicom.max_pdu_bytes,
        idle_timeout_s=dicom.idle_timeout_s,
    )


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
