"""Child processes that are ready at once and never outlive their parent."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Final

import structlog

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


def fork(name: str, run: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process that runs a function with everything that is imported here, and what is set here, signals too.

    Call it from the main thread (a child is told of the end of the thread that started it), and while there is no
    other: a lock that another thread holds stays locked in the child for ever.
    """
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_main, args=(os.getpid(), run, arguments), name=name)
    process.start()
    return process


class Reported:
    """Ends the process on an error that nobody handled, and logs it; multiprocessing would print its text."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if error is not None and not isinstance(error, SystemExit):
            structlog.get_logger().critical("process_failed", exc_info=error)
            sys.exit(1)


def _main(parent: int, run: Callable[..., None], arguments: tuple[object, ...]) -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be watched
        sys.exit(1)
    run(*arguments)
