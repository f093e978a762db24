"""Progress of a long step on one line, with the time left."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Prints how far a step is; on a terminal the line is overwritten, in a log only every tenth is written."""

    title: str
    total: int
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)
    skipped: int = 0
    _shown: int = -1

    def __post_init__(self) -> None:
        self.started = self.clock()

    def show(self, done: int, note: str = "") -> None:
        """Say that `done` of `total` is done."""
        tenth = 10 * done // self.total
        if not sys.stdout.isatty() and tenth == self._shown:
            return
        self._shown = tenth
        spent, fresh = self.clock() - self.started, max(done - self.skipped, 1)
        left = spent / fresh * (self.total - done)
        end = "\r" if sys.stdout.isatty() and done < self.total else "\n"
        print(f"{self.title:<28} {done:>6}/{self.total} {left:5.0f} s left  {note:<40}", end=end, flush=True)

    def say(self, note: str) -> None:
        """Write a line of its own."""
        print(f"{self.title:<28} {note:<70}", flush=True)
