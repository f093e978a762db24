"""Joins the PACS that may be asked: who it is, what it is asked, and the ticks that ask it."""

import random
from collections.abc import Sequence
from datetime import timedelta

from agent.assemble.inquire import NOTHING, Asking, Inquirer, Routed, routed
from agent.assemble.judging import QuestionScope
from agent.assemble.retrieve import LookFor, Retriever, Searcher
from agent.bootstrap.common import EVERYWHERE, utc_now
from agent.bootstrap.tls import client_context
from agent.config.network import Destination
from agent.config.patients import AskPacs
from agent.config.schema import Config
from agent.core.errors import Permanent
from agent.core.pacs import PacsRetrieve
from agent.core.patient import OF_SENDER
from agent.core.ports import Store
from agent.dimse.association import Peer, Timeouts, Tls
from agent.dimse.client import PacsClient
from agent.dimse.find import PacsFinder
from agent.dimse.retrieve import Getter, Mover
from agent.tasks.embedded import Tick

INQUIRE_EVERY_S = 1.0
RETRIEVE_EVERY_S = 1.0
_LEAST_POLL = timedelta(seconds=10)
_RETRIEVING = Timeouts(response_s=600)  # many peers are silent while they send


def asking(config: Config) -> Asking:
    """Return what the PACS is asked."""
    ask = config.cases.ask_pacs
    return Asking(ask.counts, ask.missing_modalities) if ask else NOTHING


def poll_interval(config: Config) -> timedelta:
    """Return the time between two questions to the PACS about one study."""
    return max(timedelta(seconds=config.cases.quiet_s), _LEAST_POLL)


def asked_destination(config: Config, ask: AskPacs) -> Destination:
    """Return the destination that is asked. Raises Permanent if there is none of this name."""
    for destination in config.destinations:
        if ask.peer in (destination.name, destination.ae_title):
            return destination
    names = ", ".join(d.name for d in config.destinations)
    raise Permanent(f"no destination has the name or AE title {ask.peer!r}; there is {names}")


def pacs_ticks(config: Config, store: Store, scopes: Sequence[QuestionScope]) -> list[Tick]:
    """Return what asks the PACS: in threads of their own, so that a slow PACS holds nothing up."""
    ask = config.cases.ask_pacs
    if ask is None:
        return []
    destination, counted = asked_destination(config, ask), routed(scopes)
    peer = _peer(config, destination, Timeouts())
    finder = PacsFinder(peer, config.site.issuer_of_patient_id or f"{OF_SENDER}{destination.ae_title}")
    quiet, poll = timedelta(seconds=config.cases.quiet_s), poll_interval(config)
    ticks = []
    if ask.counts:
        inquirer = Inquirer(store, finder, counted, quiet=quiet, poll=poll, now=utc_now)
        ticks.append(Tick("inquire", inquirer.tick, INQUIRE_EVERY_S))
    if ask.missing_modalities:
        look_for = LookFor(counted, config.cases.expect, timedelta(days=ask.days_back), poll)
        searcher = Searcher(store, finder, look_for, now=utc_now, random=random.random)
        ticks.append(Tick("search", searcher.tick, INQUIRE_EVERY_S))
    retriever = Retriever(store, retrieving(config, ask, counted), now=utc_now, random=random.random)
    return [*ticks, Tick("retrieve", retriever.tick, RETRIEVE_EVERY_S)]


def retrieving(config: Config, ask: AskPacs, counted: Routed) -> PacsRetrieve:
    """Return the way by which the PACS sends."""
    peer = _peer(config, asked_destination(config, ask), _RETRIEVING)
    if ask.retrieve == "move":
        return Mover(peer)
    dicom = config.dicom
    if dicom.port is None:
        raise Permanent("what C-GET brings is passed on to our own port without TLS, and dicom.port is null")
    host = "127.0.0.1" if dicom.bind in EVERYWHERE else dicom.bind
    receiver = PacsClient(dicom.ae_title, dicom.ae_title, host, dicom.port)
    classes = (uid for by_modality in counted.values() for uids in by_modality.values() for uid in sorted(uids))
    return Getter(peer, receiver, classes)


def _peer(config: Config, destination: Destination, timeouts: Timeouts) -> Peer:
    ours = config.dicom
    return Peer(
        ours.ae_title,
        destination.ae_title,
        destination.host,
        destination.port,
        timeouts,
        ours.max_pdu_bytes,
        tls=destination_tls(destination),
    )


def destination_tls(destination: Destination) -> Tls | None:
    """Return what makes TLS of a connection to a destination. Raises Permanent if its files cannot be used."""
    tls = destination.tls
    return (client_context(tls), tls.server_name or destination.host) if tls else None
