"""A thread that has the next segment made before anybody waits for it."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from agent.core.errors import Transient

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_log = structlog.get_logger()


class SpareKeeper:
    """Calls `prepare` in a thread of its own, from the first time that it is woken.

    What `prepare` raises harms nobody: it is logged once and tried again after a pause that doubles up to 30 s.

    Parameters
    ----------
    prepare
        Makes a segment, if none is ready. Raises Transient.
    pause
        Waits so many seconds, less if it is stopped meanwhile: tells whether it was. The default waits.
    """

    def __init__(self, prepare: Callable[[], None], pause: Callable[[float], bool] | None = None) -> None:
        self._prepare = prepare
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._pause = pause or self._stopped.wait
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Have a segment made soon."""
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="spool-spare", daemon=True)
                self._thread.start()
        self._wanted.set()

    def stop(self) -> None:
        """Return when the thread has ended; what it is making is finished before. Harmless when repeated."""
        with self._lock:
            self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopped.is_set():
            self._wanted.clear()
            self._try_until_made()

    def _try_until_made(self) -> None:
        pause_s, said = _FIRST_PAUSE_S, ""
        while True:
            try:
                self._prepare()
                return
            except Transient as error:
                if not said:
                    said = str(error)
                    _log.warning("spool_has_no_spare", reason=said)
            if self._pause(pause_s):
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
