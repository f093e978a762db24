"""Ticks inside one process: named callables, each run every few seconds by APScheduler."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition
from traceback import extract_tb
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from agent.core.boundary import contained
from agent.log import describe

_LIBRARY_LOG: Final = logging.getLogger("sentinode.apscheduler")
"""APScheduler warns whenever a tick outlasts its interval: normal here, the next run follows."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What is run, and how often."""

    name: str
    run: Callable[[], object]
    every_s: float


@dataclass(frozen=True, slots=True)
class TickHealth:
    """How a tick is doing. Errors that are not ours are named by their class alone: their text may hold anything."""

    succeeded: int = 0
    failed: int = 0
    last_success: datetime | None = None
    last_error: str = ""  # empty: the last run succeeded


class Ticker:
    """Runs every tick in a thread of its own, the first time at once, never twice at the same time.

    A tick that fails is logged and counted, and run again when its time comes; it holds up no other.

    Parameters
    ----------
    now
        The time, timezone-aware, for `health`.
    """

    def __init__(self, ticks: Sequence[Tick], now: Callable[[], datetime]) -> None:
        self._now = now
        self._changed = Condition()
        self._running: set[str] = set()
        self._stopping = False
        self._health = {tick.name: TickHealth() for tick in ticks}
        _LIBRARY_LOG.setLevel(logging.ERROR)
        # misfire_grace_time=None: a run that comes late is run, by default it is dropped after one second
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(ticks)))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            logger=_LIBRARY_LOG,
        )
        for tick in ticks:
            self._scheduler.add_job(self._run, "interval", args=[tick], seconds=tick.every_s, id=tick.name)

    def start(self) -> None:
        """Run every tick now, and then by the clock."""
        at_once = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=at_once)
        self._scheduler.start()

    def stop(self, timeout_s: float) -> bool:
        """Begin no further run and wait for those under way; return whether all of them ended in time."""
        with self._changed:
            self._stopping = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout_s)

    @property
    def health(self) -> Mapping[str, TickHealth]:
        """How each tick is doing, by its name."""
        with self._changed:
            return dict(self._health)

    def _run(self, tick: Tick) -> None:
        with self._changed:
            if self._stopping:
                return
            self._running.add(tick.name)
        error = "ended"
        try:
            error = _attempt(tick)
        finally:
            self._ended(tick.name, error)

    def _ended(self, name: str, error: str) -> None:
        with self._changed:
            was = self._health[name]
            self._health[name] = (
                replace(was, failed=was.failed + 1, last_error=error)
                if error
                else TickHealth(was.succeeded + 1, was.failed, self._now())
            )
            self._running.discard(name)
            self._changed.notify_all()


def _attempt(tick: Tick) -> str:
    """Run a tick once; return what it failed with, empty if it succeeded. No tick ends the others."""

    def succeed() -> str:
        tick.run()
        return ""

    return contained(succeed, lambda error: _told(tick, error))


def _told(tick: Tick, error: Exception) -> str:
    described, last = describe(error), extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}:{last.name}"
    structlog.get_logger().error("tick_failed", tick=tick.name, error=described, where=where)
    return described
