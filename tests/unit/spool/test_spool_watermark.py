"""Whether there is free disk: asked by a thread, known to all."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agent.spool import SpoolFull, Watermark
from agent.spool.watermark import LOOK_EVERY_S, DiskWatch
from tests.harness import wait_until


def test_what_is_below_the_watermark_is_not_the_spools(tmp_path: Path) -> None:
    """What is free above it, negative below it; without a stand-in the disk itself is asked."""
    assert [Watermark(500, lambda _, n=n: n).spare_bytes(tmp_path) for n in (700, 100)] == [200, -400]  # type: ignore[misc]
    assert Watermark().spare_bytes(tmp_path) > 0


class Looks:
    """A disk that is asked, and pauses that end when they are told to."""

    def __init__(self) -> None:
        self.answer: bool | OSError | SpoolFull = True
        self.threads: list[int] = []
        self.pauses: list[float] = []
        self._go = threading.Semaphore(0)
        self._is_over = False

    def look(self) -> bool:
        """Answer, or fail."""
        self.threads.append(threading.get_ident())
        if isinstance(self.answer, OSError | SpoolFull):
            raise self.answer
        return self.answer

    def pause(self, pause_s: float) -> bool:
        """Wait for the next turn."""
        self.pauses.append(pause_s)
        self._go.acquire()
        return self._is_over

    def turn(self, *, is_over: bool = False) -> None:
        """End a pause."""
        self._is_over = is_over
        self._go.release()


def test_a_young_answer_is_given_again() -> None:
    """A look at each object would cost a tenth of its time."""
    looks, now = Looks(), [100.0]
    watch = DiskWatch(looks.look, fresh_s=0.05, monotonic=lambda: now[0])
    assert watch.fresh() is True
    looks.answer = False
    now[0] += 0.05
    assert (watch.fresh(), len(looks.threads)) == (True, 1)
    now[0] += 0.001
    assert (watch.fresh(), len(looks.threads)) == (False, 2)


def test_a_thread_looks_and_the_question_does_not() -> None:
    """After each pause the answer is a new one; asking for it looks at nothing."""
    looks = Looks()
    watch = DiskWatch(looks.look, looks.pause)
    watch.start()
    looks.answer = False
    assert [watch.has_free_disk for _ in range(3)] == [True] * 3
    assert looks.threads == [threading.get_ident()]
    looks.turn()
    wait_until(lambda: not watch.has_free_disk, 10, "it was looked again")
    assert len(looks.threads) == 2
    assert threading.get_ident() not in looks.threads[1:]
    looks.turn(is_over=True)
    watch.stop()
    watch.stop()
    assert set(looks.pauses) == {LOOK_EVERY_S}


def test_who_looked_anyway_tells_the_others() -> None:
    """What cannot be asked counts as free: an object will tell."""
    looks = Looks()
    watch = DiskWatch(looks.look)
    looks.answer = False
    assert not watch.refresh()
    assert not watch.has_free_disk
    for looks.answer in (OSError(5, "told to"), SpoolFull("told to")):
        watch.has_free_disk = False
        assert watch.refresh()
        assert watch.has_free_disk


# what nobody catches is what ends this thread
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_ends_refuses_nobody() -> None:
    """It is said; what cannot be asked any more counts as free."""

    def broken(_: float) -> bool:
        raise SystemExit

    watch = DiskWatch(lambda: False, broken)
    with capture_logs() as logs:
        watch.start()
        watch.stop()
    assert watch.has_free_disk
    assert [log["event"] for log in logs] == ["spool_watch_ended"]


def test_a_stop_ends_a_pause() -> None:
    """The receiver's end waits for no look."""
    before = set(threading.enumerate())
    watch = DiskWatch(lambda: True)
    watch.start()
    watch.stop()
    assert set(threading.enumerate()) <= before
