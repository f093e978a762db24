"""The receiver process: the DICOM listener and the spool, nothing else."""

from agent.bootstrap.common import Stop, patience_s, utc_now
from agent.config import Config
from agent.receive import Peer, Receiver, ReceiverSettings
from agent.spool import SpoolWriter


def run_receiver(config: Config, stop: Stop) -> None:
    """Listen until asked to stop, then let open associations end."""
    storage = config.storage
    spool = SpoolWriter(
        storage.spool,
        limit_bytes=int(storage.spool_bytes),
        refuse_below_free_bytes=int(storage.refuse_below_free_bytes),
        now=utc_now,
    )
    receiver = Receiver(_settings(config), spool)
    receiver.start()
    stop.wait_for_ever()
    receiver.stop(patience_s(config.operate.drain_s))
    spool.close()


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
