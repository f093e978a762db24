"""The process tree: a receiver, a keeper and workers, each brought back when it dies, all drained by SIGTERM."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

import structlog

from agent import log as logs
from agent.bootstrap.common import Stop
from agent.config import Config

Role = Callable[[Config, Stop], None]

_PR_SET_PDEATHSIG: Final = 1
RESTART_AFTER_S: Final = 1.0
"""A process that died within this time of its start waits as long before it is started again."""


@dataclass
class Child:
    """One process of the tree and how often it was brought back."""

    name: str
    role: Role
    process: BaseProcess | None = None
    started: float = 0.0
    restarts: int = field(default=-1)


def serve(config: Config, roles: Mapping[str, Role]) -> int:
    """Run one process for each role until SIGTERM or SIGINT; return the exit code.

    `roles` maps a process name to what it runs: a module-level function of the configuration and a stop request.
    """
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.request)
    children = [Child(name, role) for name, role in roles.items()]
    logs.configure(config.operate.log.level, config.operate.log.format, "serve")
    log = structlog.get_logger()
    log.info("starting", site=config.site.name, pid=os.getpid(), bind=config.dicom.bind, port=config.dicom.port)
    while not stop.requested:
        _keep_alive(config, children)
        sentinels = [c.process.sentinel for c in children if c.process]
        wait(sentinels, timeout=0.2)
    log.info("draining")
    return _drain(children, config.operate.drain_s)


def _keep_alive(config: Config, children: list[Child]) -> None:
    log = structlog.get_logger()
    for child in children:
        if child.process and child.process.is_alive():
            continue
        if child.process:
            log.error("process_died", worker=child.name, exit_code=child.process.exitcode)
            if time.monotonic() - child.started < RESTART_AFTER_S:
                time.sleep(RESTART_AFTER_S)
        _start(config, child)


def _start(config: Config, child: Child) -> None:
    # spawned from the main thread: PR_SET_PDEATHSIG fires when the thread that started a child ends
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run, args=(child.role, child.name, config, os.getpid()), name=child.name)
    process.start()
    child.process, child.started, child.restarts = process, time.monotonic(), child.restarts + 1
    structlog.get_logger().info("process_started", worker=child.name, pid=process.pid, restarts=child.restarts)


def _run(role: Role, name: str, config: Config, parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.request)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(config.operate.log.level, config.operate.log.format, name)
    with _Reported():
        role(config, stop)


class _Reported:
    """Ends the process on an error that nobody handled, and logs it; multiprocessing would print its text."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if error is not None and not isinstance(error, SystemExit):
            structlog.get_logger().critical("process_failed", exc_info=error)
            sys.exit(1)


def _drain(children: list[Child], drain_s: float) -> int:
    """Let every process end what it is doing; kill what is still there afterwards."""
    deadline = time.monotonic() + drain_s
    alive = [c.process for c in children if c.process and c.process.is_alive()]
    for process in alive:
        process.terminate()
    for process in alive:
        process.join(max(0.0, deadline - time.monotonic()))
    late = [process for process in alive if process.is_alive()]
    for process in late:
        process.kill()
        process.join()
    structlog.get_logger().info("stopped", count=len(late))
    return 1 if late else 0
