"""What must be right before the agent serves, each mistake as one line with its place in the configuration."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from agent import log as logs
from agent.bootstrap.checks_of_dicom import dicom_problems
from agent.bootstrap.checks_of_listeners import listener_problems, port_problems
from agent.bootstrap.common import Stop, secret, utc_now
from agent.bootstrap.inspect import open_store
from agent.bootstrap.keeper import question_scopes
from agent.bootstrap.pacs import asked_destination
from agent.bootstrap.process import Reported, fork
from agent.config import ConfigError, LoadedConfig
from agent.config.schema import Config, Model, Storage
from agent.core.errors import Permanent, SentinodeError, Transient
from agent.core.patient import OF_SENDER
from agent.ehr.source import EhrSource
from agent.report.words import question_words
from agent.spool import is_taken

Key = tuple[str | int, ...]
SPOOL_FREE_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. One that may pass by itself does not keep the agent from serving."""

    key: Key
    what: str
    may_pass: bool = False


def find_problems(loaded: LoadedConfig) -> list[str]:
    """Check everything that the configuration names and return one line for each mistake."""
    return [loaded.problem(p.key, p.what) for p in _problems(loaded.config)]


def refuse_to_start(loaded: LoadedConfig, stop: Stop) -> None:
    """Check what serving needs; what may pass by itself (an EHR that is away) is only logged.

    A stop that is requested meanwhile ends the checks.

    Raises
    ------
    ConfigError
        With one line for each mistake.
    """
    found = [*_found_apart(loaded.config, stop), *_ports(loaded.config), *_spool(loaded.config)]
    for problem in found:
        if problem.may_pass:
            structlog.get_logger().warning("not_ready", reason=loaded.problem(problem.key, problem.what))
    lasting = [loaded.problem(p.key, p.what) for p in found if not p.may_pass]
    if lasting:
        raise ConfigError("\n".join(lasting))


def _found_apart(config: Config, stop: Stop) -> list[Problem]:
    """Check in a process of its own: the supervisor shall keep neither the models nor their runtime's threads."""
    here, there = Pipe(duplex=False)
    child = fork("checks", _tell, config, there)
    there.close()
    try:
        while not here.poll(0.1):
            if stop.requested:
                return []
        found: list[Problem] = here.recv()
        return found
    except EOFError:
        child.join()
        raise ConfigError(f"the checks ended with exit code {child.exitcode}") from None
    finally:
        child.kill()
        child.join()


def _tell(config: Config, answer: Connection) -> None:
    logs.configure(config.operate.log.level, config.operate.log.format, "checks")
    with Reported():
        answer.send(list(_problems(config)))


def _problems(config: Config) -> Iterator[Problem]:
    yield from _names(config)
    yield from (Problem(*one) for one in listener_problems(config))
    yield from (Problem(*one) for one in dicom_problems(config, utc_now()))
    yield from _issuers(config)
    yield from _asked(config)
    yield from _secrets(config)
    yield from _folder(("storage", "spool"), config.storage.spool)
    yield from _folder(("storage", "quarantine"), config.storage.quarantine)
    yield from _disk(config.storage)
    yield from _said(("database", "url"), lambda: open_store(config).close())
    yield from _ehr(config)
    for n, model in enumerate(config.models):
        yield from _said(("models", n, "bundle"), partial(_load, model))
    yield from _expected(config)


def _load(model: Model) -> None:
    from agent.infer.engine import Engine  # only here: it starts a thread, and a supervisor that forks may have none

    question = Engine.load(model.bundle, model.device).manifest.question
    try:
        question_words(question)
    except Permanent:
        raise Permanent(f"this version has no report for the question {question}") from None


def _said(key: Key, attempt: Callable[[], object]) -> Iterator[Problem]:
    try:
        attempt()
    except SentinodeError as exc:
        yield Problem(key, _one_line(exc), isinstance(exc, Transient))


def _one_line(error: SentinodeError) -> str:
    return "; ".join(str(error).splitlines())


def _names(config: Config) -> Iterator[Problem]:
    seen = set()
    for n, destination in enumerate(config.destinations):
        if destination.name in seen:
            yield Problem(("destinations", n, "name"), "another destination has this name")
        seen.add(destination.name)


def _expected(config: Config) -> Iterator[Problem]:
    """What no bundle reads never counts as present: to wait for it would only delay every answer."""
    try:
        read = frozenset[str]().union(*(scope.modalities for scope in question_scopes(config)))
    except (SentinodeError, OSError, ValueError):
        return  # said of the bundle itself
    for modality in config.cases.expect:
        if modality not in read:
            what = f"no active bundle reads {modality}: it is not waited for; take it out"
            yield Problem(("cases", "expect"), what, may_pass=True)


def _asked(config: Config) -> Iterator[Problem]:
    """The PACS that is asked is one that we know, and what it sends back can come in."""
    ask, dicom = config.cases.ask_pacs, config.dicom
    if ask is None:
        return
    if not (ask.counts or ask.missing_modalities):
        what = "counts and missing_modalities are both false: nothing is asked; set one, or take ask_pacs out"
        yield Problem(("cases", "ask_pacs"), what)
    key: Key = ("cases", "ask_pacs", "peer")
    try:
        sender = asked_destination(config, ask).ae_title if ask.retrieve == "move" else dicom.ae_title
    except SentinodeError as exc:
        yield Problem(key, _one_line(exc))
        return
    if ask.retrieve == "get" and dicom.port is None:
        what = "get passes what came on to our own port without TLS, and dicom.port is null: set it, or say move"
        yield Problem(("cases", "ask_pacs", "retrieve"), what)
    may_store = [peer.ae_title for peer in dicom.peers if "store" in peer.may]
    is_judged = dicom.accept_from == "listed" or sender in {peer.ae_title for peer in dicom.peers}
    if is_judged and sender not in may_store:
        yield Problem(key, f"what is retrieved comes from {sender}, which dicom.peers does not let store")


def _issuers(config: Config) -> Iterator[Problem]:
    """Whoever names no issuer is real: neither the site's issuer nor a sender's AE title makes a patient synthetic."""
    site = config.site.issuer_of_patient_id
    for n, model in enumerate(config.models):
        if site in model.demo_issuers:
            yield Problem(
                ("site", "issuer_of_patient_id"),
                f"{site} is also in models[{n}].demo_issuers: real patients whose images name no issuer would count as"
                " synthetic; name another issuer here, or take it out there",
            )
        for issuer in model.demo_issuers:
            if issuer.startswith(OF_SENDER):
                yield Problem(
                    ("models", n, "demo_issuers"),
                    f"{issuer} stands for every patient of a sender that names no issuer: real ones would count as"
                    " synthetic; have the sender name an issuer of its own, and list that",
                )


def _secrets(config: Config) -> Iterator[Problem]:
    for section, variable in (("database", config.database.password_env), ("ehr", config.ehr.password_env)):
        if variable and variable not in os.environ:
            yield Problem((section, "password_env"), f"the environment variable {variable} is not set")


def _folder(key: Key, folder: Path) -> Iterator[Problem]:
    there = folder
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Problem(key, f"{folder} cannot be written: {there} is not a folder of this user")


def _ehr(config: Config) -> Iterator[Problem]:
    ehr = config.ehr
    for name, query in (("query", ehr.query), ("outcomes_query", ehr.outcomes_query)):
        if query is None:
            continue
        try:
            source = EhrSource(ehr.url, query, ehr.timeout_s, secret(ehr.password_env))
            for sentence in source.check(utc_now()):
                yield Problem(("ehr", name), sentence)
        except Transient as exc:
            yield Problem(("ehr", "url"), _one_line(exc), may_pass=True)
            return
        except SentinodeError as exc:
            yield Problem(("ehr", name), _one_line(exc))


def _spool(config: Config) -> Iterator[Problem]:
    deadline = time.monotonic() + SPOOL_FREE_WITHIN_S  # one that was killed just now gives it up a moment later
    while is_taken(config.storage.spool):
        if time.monotonic() > deadline:
            yield Problem(("storage", "spool"), "another agent is running on this spool")
            return
        time.sleep(0.1)


def _ports(config: Config) -> Iterator[Problem]:
    yield from (Problem(*one) for one in port_problems(config))


def _disk(storage: Storage) -> Iterator[Problem]:
    """What must stay free is less than the whole disk, else nothing is ever taken."""
    folder = storage.spool.absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    disk_bytes, wanted = shutil.disk_usage(there).total, int(storage.refuse_below_free_bytes)
    if wanted >= disk_bytes:
        what = f"{wanted} bytes are never free on a disk of {disk_bytes}, so nothing would be taken: say less"
        yield Problem(("storage", "refuse_below_free_bytes"), what)
