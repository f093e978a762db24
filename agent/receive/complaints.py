"""Warnings of what is turned away, few however many are: a flood must not become one of the log."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

import structlog

TOLD_AGAIN_AFTER_S: Final = 10.0
_MOST_KINDS: Final = 256
Level = Literal["warning", "error"]
_log = structlog.get_logger()


class _Kind(NamedTuple):
    """What is told once and counted then."""

    level: Level
    event: str
    peer: str
    reason: str
    who: tuple[tuple[str, str], ...]

    def log(self, **more: object) -> None:
        write = _log.error if self.level == "error" else _log.warning
        write(self.event, peer=self.peer, reason=self.reason, **dict(self.who), **more)


class Complaints:
    """Logs the first of each kind at once; those that follow within ten seconds are counted, and told as one.

    Threads share it.

    Parameters
    ----------
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told: dict[_Kind, tuple[float, int]] = {}

    def tell(
        self,
        event: str,
        *,
        peer: str,
        reason: str,
        level: Level = "warning",
        who: Mapping[str, str] | None = None,
        ids: Mapping[str, str | int] | None = None,
    ) -> None:
        """Warn of what was turned away. Of very many only the first are named.

        Parameters
        ----------
        event, peer, reason, level
            What happened, to whom, and why.
        who
            Who the peer says it is.
        ids
            Which one it was, told of the first alone: it makes no kind of its own.
        """
        kind = _Kind(level, event, peer, reason, tuple((who or {}).items()))
        with self._lock:
            if kind not in self._told and len(self._told) >= _MOST_KINDS:
                kind = _Kind(level, event, "others", reason, ())
            if kind in self._told:
                since, more = self._told[kind]
                self._told[kind] = (since, more + 1)
                return
            self._told[kind] = (self._monotonic(), 0)
        kind.log(**(ids or {}))

    def sum_up(self, *, at_once: bool = False) -> None:
        """Tell what was counted, where it is due."""
        now = self._monotonic()
        with self._lock:
            due = [kind for kind, (since, _) in self._told.items() if at_once or now - since >= TOLD_AGAIN_AFTER_S]
            counted = [(kind, self._told.pop(kind)[1]) for kind in due]
        for kind, more in counted:
            if more:
                kind.log(more=more)
