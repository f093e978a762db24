"""Warnings of what is turned away, few however many are: a flood must not become one of the log."""

import time
from collections.abc import Callable
from typing import Final

import structlog

TOLD_AGAIN_AFTER_S: Final = 10.0
_MOST_KINDS: Final = 256
_Kind = tuple[str, str, str, tuple[tuple[str, str], ...]]
_log = structlog.get_logger()


class Complaints:
    """Logs the first of each kind at once; those that follow within ten seconds are counted, and told as one.

    Parameters
    ----------
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[_Kind, tuple[float, int]] = {}

    def tell(self, event: str, *, peer: str, reason: str, **who: str) -> None:
        """Warn of a caller that was turned away, and who it says it is. Of very many only the first are named."""
        kind: _Kind = (event, peer, reason, tuple(who.items()))
        if kind not in self._told and len(self._told) >= _MOST_KINDS:
            kind = (event, "others", reason, ())
        if kind in self._told:
            since, more = self._told[kind]
            self._told[kind] = (since, more + 1)
            return
        self._told[kind] = (self._monotonic(), 0)
        _log.warning(event, peer=kind[1], reason=reason, **dict(kind[3]))

    def sum_up(self, *, at_once: bool = False) -> None:
        """Tell what was counted, where it is due."""
        now = self._monotonic()
        due = [kind for kind, (since, _) in self._told.items() if at_once or now - since >= TOLD_AGAIN_AFTER_S]
        for kind in due:
            event, peer, reason, who = kind
            _, more = self._told.pop(kind)
            if more:
                _log.warning(event, peer=peer, reason=reason, **dict(who), more=more)
