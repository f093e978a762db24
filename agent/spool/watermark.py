"""How much of the disk is the spool's, and a thread that keeps the answer so that nobody waits for the disk."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.core.errors import Transient

LOOK_EVERY_S: Final = 1.0
"""So old may an answer be, and as much older as the disk takes to answer and to give back what is released."""
FRESH_S: Final = 0.05
"""So old may an answer be that an instance gets: a look at each would cost a tenth of its time."""

_log = structlog.get_logger()


def free_bytes(folder: Path) -> int:
    """Return how many bytes an unprivileged process may still write below a folder."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


@dataclass(frozen=True, slots=True)
class Watermark:
    """Free bytes of a file system that are not the spool's: of the folder's, where `refuse_below_bytes` must stay."""

    refuse_below_bytes: int = 0
    free: Callable[[Path], int] = free_bytes

    def spare_bytes(self, folder: Path) -> int:
        """Return what is free above it; negative below it. Raises OSError."""
        return self.free(folder) - self.refuse_below_bytes


class DiskWatch:
    """Asks again and again whether there is free disk, in a thread of its own; its answer costs nothing.

    Parameters
    ----------
    look
        Tells it. Raises OSError, Transient: it counts as free then, an object will tell.
    pause
        Waits so many seconds, less if it is stopped meanwhile: tells whether it was. The default waits.
    fresh_s
        So old may the answer be that `fresh` gives.
    monotonic
        Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        look: Callable[[], bool],
        pause: Callable[[float], bool] | None = None,
        *,
        fresh_s: float = FRESH_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._looked_at = -math.inf
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._thread: threading.Thread | None = None
        self.has_free_disk = True

    def start(self) -> None:
        """Have a first answer, and go on."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="spool-watermark", daemon=True)
        self._thread.start()

    def fresh(self) -> bool:
        """Return the answer, and look if it is old."""
        return self.refresh() if self._monotonic() - self._looked_at > self._fresh_s else self.has_free_disk

    def refresh(self) -> bool:
        """Look now, and return the answer."""
        self._looked_at = self._monotonic()
        try:
            self.has_free_disk = self._look()
        except (OSError, Transient):
            self.has_free_disk = True
        return self.has_free_disk

    def stop(self) -> None:
        """Return when the thread has ended. Harmless when repeated."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        is_stopped = False
        try:
            while not (is_stopped := self._pause(LOOK_EVERY_S)):
                self.refresh()
        finally:
            if not is_stopped:  # an answer that nobody renews must refuse nobody
                self.has_free_disk = True
                _log.error("spool_watch_ended")
