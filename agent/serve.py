"""The process tree: a receiver, a keeper and workers, each brought back when it dies, all drained by SIGTERM."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

import structlog

from agent import log as logs
from agent.bootstrap.common import Stop
from agent.bootstrap.process import Reported, fork
from agent.bootstrap.roles import Role
from agent.config import Config

LOOK_EVERY_S: Final = 0.2
LIVED_S: Final = 2.0
"""A process that lived this long was well: its next death is its first."""
FREE_DEATHS: Final = 3
FIRST_DELAY_S: Final = 0.25
MAX_DELAY_S: Final = 30.0


@dataclass
class Child:
    """One process of the tree, how often it was brought back, and how it fares."""

    name: str
    role: Role
    process: BaseProcess | None = None
    started: float = 0.0  # monotonic, as `due`
    due: float = 0.0  # not started before
    restarts: int = -1
    early_deaths: int = 0  # in a row


def restart_delay_s(early_deaths: int) -> float:
    """Return how long to wait before a process is started that died young so many times in a row."""
    if early_deaths <= FREE_DEATHS:
        return 0.0
    doubled = min(early_deaths - FREE_DEATHS - 1, 10)
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0**doubled)


def serve(config: Config, roles: Mapping[str, Role], stop: Stop) -> int:
    """Run one process for each role until a stop is requested; return the exit code.

    Parameters
    ----------
    config : Config
        What every role gets.
    roles : mapping
        What each process runs, by its name. It is forked: it starts with every module that is imported here.
    stop : Stop
        Requested by SIGTERM and SIGINT. Each process gets a copy of it with the handlers, so that not even a signal
        in the moment of its start is lost on it.
    """
    children = [Child(name, role) for name, role in roles.items()]
    logs.configure(config.operate.log.level, config.operate.log.format, "serve")
    log = structlog.get_logger()
    log.info("starting", site=config.site.name, pid=os.getpid(), bind=config.dicom.bind, port=config.dicom.port)
    while not stop.requested:
        for child in children:
            _keep_alive(config, child, stop)
        wait([c.process.sentinel for c in children if c.process], timeout=_until_next(children))
    log.info("draining")
    return _drain(children, config.operate.drain_s)


def _keep_alive(config: Config, child: Child, stop: Stop) -> None:
    if child.process and not child.process.is_alive():
        _bury(child, child.process)
    if child.process is None and time.monotonic() >= child.due:
        _start(config, child, stop)


def _bury(child: Child, process: BaseProcess) -> None:
    died = time.monotonic()
    child.early_deaths = child.early_deaths + 1 if died - child.started < LIVED_S else 1
    delay_s = restart_delay_s(child.early_deaths)
    child.process, child.due = None, died + delay_s
    structlog.get_logger().error("process_died", worker=child.name, exit_code=process.exitcode, seconds=delay_s)
    process.close()


def _start(config: Config, child: Child, stop: Stop) -> None:
    child.process = fork(child.name, _run, child.role, child.name, config, stop)
    child.started, child.restarts = time.monotonic(), child.restarts + 1
    structlog.get_logger().info("process_started", worker=child.name, pid=child.process.pid, restarts=child.restarts)


def _until_next(children: Sequence[Child]) -> float:
    """Return for how many seconds only a death can be news."""
    waiting = [child.due - time.monotonic() for child in children if child.process is None]
    return max(0.0, min([LOOK_EVERY_S, *waiting]))


def _run(role: Role, name: str, config: Config, stop: Stop) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor passes it on
    logs.configure(config.operate.log.level, config.operate.log.format, name)
    with Reported():
        role(config, stop)


def _drain(children: Sequence[Child], drain_s: float) -> int:
    """Let every process end what it is doing; kill what is still there afterwards. 1 if one did not end in order."""
    deadline = time.monotonic() + drain_s
    alive = [c.process for c in children if c.process and c.process.is_alive()]
    for process in alive:
        process.terminate()
    for process in alive:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in alive:
        if process.is_alive():
            process.kill()
            process.join()
    failed = [process for process in alive if process.exitcode != 0]
    for process in failed:
        structlog.get_logger().error("process_died", worker=process.name, exit_code=process.exitcode)
    structlog.get_logger().info("stopped", count=len(failed))
    return 1 if failed else 0
