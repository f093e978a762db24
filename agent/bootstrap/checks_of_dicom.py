"""What must be right of peers, certificates and ports before DICOM is spoken with anyone."""

from collections.abc import Iterator
from datetime import datetime

from agent.bootstrap.common import EVERYWHERE
from agent.bootstrap.receiver import receiver_peer
from agent.bootstrap.tls import tls_problems
from agent.config.network import Peer, TlsFiles
from agent.config.schema import Config

Key = tuple[str | int, ...]
Found = tuple[Key, str, bool]
"""Where, what is wrong, and whether the agent may serve all the same."""


def dicom_problems(config: Config, now: datetime) -> Iterator[Found]:
    """Yield each mistake in `dicom`, and in what `destinations` say of TLS."""
    dicom = config.dicom
    for n, peer in enumerate(dicom.peers):
        yield from _peer(("dicom", "peers", n), peer, has_tls=dicom.tls is not None)
    for key, files in _tls_sections(config):
        for name, what, may_pass in tls_problems(files, now):
            yield ((*key, name) if name else key), what, may_pass
    yield from _ports(config)


def _tls_sections(config: Config) -> Iterator[tuple[Key, TlsFiles]]:
    if config.dicom.tls is not None:
        yield ("dicom", "tls"), config.dicom.tls
    for n, destination in enumerate(config.destinations):
        if destination.tls is not None:
            yield ("destinations", n, "tls"), destination.tls


def _peer(key: Key, peer: Peer, *, has_tls: bool) -> Iterator[Found]:
    try:
        receiver_peer(peer)
    except ValueError as error:
        yield key, str(error), False
    if peer.certificate_subject is not None and not has_tls:
        what = f"{peer.ae_title} may call over TLS alone, and there is no dicom.tls: add it, or take this out"
        yield (*key, "certificate_subject"), what, False


def _ports(config: Config) -> Iterator[Found]:
    tls = config.dicom.tls
    for name, other in (("dicom", config.dicom), ("hl7", config.hl7)):
        if tls is None or other is None or tls.port != other.port:
            continue
        if tls.bind == other.bind or {tls.bind, other.bind} & EVERYWHERE:
            what = f"{tls.port} is the port of {name} too: give each listener its own"
            yield ("dicom", "tls", "port"), what, False
