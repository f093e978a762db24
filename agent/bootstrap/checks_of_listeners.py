"""What must be right of the listeners: ports of their own, addresses of this machine, somebody who may connect."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from agent.bootstrap.checks_of_dicom import Found, Key
from agent.bootstrap.common import EVERYWHERE
from agent.config.network import Dicom, DicomTls, Hl7
from agent.config.schema import Config


def listener_problems(config: Config) -> Iterator[Found]:
    """Yield each mistake in what is listened on, whether or not the agent runs now."""
    yield from _listeners(config)
    yield from _binds(config)
    yield from _associations(config.dicom)


def port_problems(config: Config) -> Iterator[Found]:
    """Yield each port that another program has."""
    for section, bind, port in _listening(config):
        if not _refusal(bind, 0) and (why := _refusal(bind, port)):
            yield (*section, "port"), f"cannot listen on {bind}:{port}: {why}", False


def _listeners(config: Config) -> Iterator[Found]:
    """Each listener has a port of its own, and whoever may send HL7 messages can."""
    hl7, dicom = config.hl7, config.dicom
    if hl7 is None:
        return
    if hl7.port == dicom.port and (hl7.bind == dicom.bind or {hl7.bind, dicom.bind} & EVERYWHERE):
        yield ("hl7", "port"), f"{hl7.port} is the port of dicom too: give each listener its own", False
    if not _is_loopback(hl7.bind) and all(ip_network(one, strict=False).is_loopback for one in hl7.accept_from):
        what = (
            f"hl7.bind is {hl7.bind}, but only this machine may connect: list the addresses that send messages, or"
            " bind to 127.0.0.1"
        )
        yield ("hl7", "accept_from"), what, False


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def _associations(dicom: Dicom) -> Iterator[Found]:
    """Whoever writes a share larger than the whole means something else; nothing breaks by it."""
    is_written = "max_associations_per_peer" in dicom.model_fields_set
    if is_written and dicom.max_associations_per_peer > dicom.max_associations:
        what = f"more than dicom.max_associations, {dicom.max_associations}: one peer could have all of them"
        yield ("dicom", "max_associations_per_peer"), what, True


def _listening(config: Config) -> Iterator[tuple[Key, str, int]]:
    listeners: list[tuple[Key, DicomTls | Dicom | Hl7 | None]] = [
        (("dicom",), config.dicom),
        (("dicom", "tls"), config.dicom.tls),
        (("hl7",), config.hl7),
    ]
    for section, listener in listeners:
        if listener is not None and listener.port is not None:
            yield section, listener.bind, listener.port


def _binds(config: Config) -> Iterator[Found]:
    """Each address is one of this machine; its port may be in use by the agent that runs."""
    for section, bind, _ in _listening(config):
        if why := _refusal(bind, 0):
            what = f"cannot listen on {bind}, which must be an address of this machine: {why}"
            yield (*section, "bind"), what, False


def _refusal(bind: str, port: int) -> str:
    """Say why nothing can listen there; empty: it can. Port 0: any that is free."""
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as exc:
            return exc.strerror or str(exc)
        except UnicodeError:
            return "no name of a machine"
    return ""
