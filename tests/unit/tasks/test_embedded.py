"""Ticks: each runs at once and again, alone, and fails alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, get_ident
from time import monotonic, sleep

import pytest
from structlog.testing import capture_logs

from agent.core.errors import Transient
from agent.tasks.embedded import Tick, Ticker

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
RARELY = 3600.0
OFTEN = 0.02


def until(condition: Callable[[], object], deadline_s: float = 10) -> None:
    """Wait until something is so."""
    end = monotonic() + deadline_s
    while not condition():
        assert monotonic() < end, "it did not happen in time"
        sleep(0.005)


@contextmanager
def running(*ticks: Tick) -> Iterator[Ticker]:
    """Run ticks for the length of a test."""
    ticker = Ticker(ticks, lambda: NOW)
    ticker.start()
    try:
        yield ticker
    finally:
        ticker.stop(10)


def test_the_first_run_is_at_once() -> None:
    """A tick that runs once an hour runs when the ticker starts, in another thread."""
    seen: list[int] = []
    with running(Tick("index", lambda: seen.append(get_ident()), RARELY)) as ticker:
        until(lambda: ticker.health["index"].succeeded == 1)
    assert seen
    assert seen != [get_ident()]


def test_a_tick_runs_again_and_again() -> None:
    """A tick is run every few seconds."""
    with running(Tick("index", lambda: None, OFTEN)) as ticker:
        until(lambda: ticker.health["index"].succeeded >= 3)
        assert ticker.health["index"].last_success == NOW


def test_a_failing_tick_is_run_again_and_holds_up_no_other() -> None:
    """An error is recorded, and everything goes on."""
    calls: list[int] = []

    def fail_twice() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise Transient("the database is locked")

    with running(Tick("assemble", fail_twice, OFTEN), Tick("index", lambda: None, OFTEN)) as ticker:
        until(lambda: ticker.health["assemble"].succeeded >= 1 and ticker.health["index"].succeeded >= 3)
        health = ticker.health["assemble"]
    assert (health.failed, health.last_error) == (2, "")
    assert ticker.health["index"].failed == 0


def test_an_unknown_error_is_named_by_its_class() -> None:
    """The text of an error that is not ours reaches neither the log nor the record."""

    def leak() -> None:
        raise RuntimeError("Doe^Jane")

    with capture_logs() as logs, running(Tick("deliver", leak, RARELY)) as ticker:
        until(lambda: ticker.health["deliver"].failed)
        health = ticker.health["deliver"]
    assert health.last_error == "RuntimeError"
    (line,) = logs
    assert (line["event"], line["tick"], line["error"]) == ("tick_failed", "deliver", "RuntimeError")
    assert line["where"].startswith("test_embedded.py:")
    assert "Doe" not in str(line)


def test_our_own_errors_say_what_happened() -> None:
    """The text of an error of ours holds no patient data, and is recorded."""

    def fail() -> None:
        raise Transient("the PACS refused the association")

    with running(Tick("deliver", fail, RARELY)) as ticker:
        until(lambda: ticker.health["deliver"].failed)
        assert ticker.health["deliver"].last_error == "the PACS refused the association"


def test_a_tick_never_runs_twice_at_the_same_time() -> None:
    """A tick that outlasts its interval is run again when it is over, not beside itself."""
    inside, most, runs = [0], [0], [0]

    def slow() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        sleep(0.1)
        inside[0] -= 1
        runs[0] += 1

    with running(Tick("slow", slow, OFTEN)):
        until(lambda: runs[0] >= 3)
    assert most == [1]


def test_a_slow_tick_holds_up_no_other() -> None:
    """Every tick has a thread of its own."""
    release = Event()
    with running(Tick("slow", lambda: release.wait(10), OFTEN), Tick("quick", lambda: None, OFTEN)) as ticker:
        until(lambda: ticker.health["quick"].succeeded >= 3)
        assert ticker.health["slow"].succeeded == 0
        release.set()


def test_a_late_run_is_not_dropped() -> None:
    """A run whose time is long past is run: by default the library drops one that is a second late."""
    ran = Event()
    ticker = Ticker([Tick("index", ran.set, RARELY)], lambda: NOW)
    (job,) = ticker._scheduler.get_jobs()
    ticker._scheduler.start(paused=True)
    job.modify(next_run_time=datetime.now(UTC) - timedelta(minutes=5))
    ticker._scheduler.resume()
    assert ran.wait(10)
    assert ticker.stop(10)


def test_stop_lets_a_run_end() -> None:
    """Stopping waits for what is under way and begins nothing new."""
    started, release = Event(), Event()
    done: list[int] = []

    def work() -> None:
        started.set()
        release.wait(10)
        done.append(1)

    ticker = Ticker([Tick("work", work, OFTEN)], lambda: NOW)
    ticker.start()
    assert started.wait(10)
    assert not ticker.stop(0.05)
    assert not done
    release.set()
    assert ticker.stop(10)
    assert done == [1]


def test_nothing_begins_after_stop() -> None:
    """A run that was queued when the ticker stopped is not begun."""
    ran: list[int] = []
    tick = Tick("work", lambda: ran.append(1), RARELY)
    ticker = Ticker([tick], lambda: NOW)
    assert ticker.stop(0)
    ticker._run(tick)
    assert ran == []


def test_a_tick_that_ends_its_thread_does_not_hold_the_stop() -> None:
    """Even what is no ordinary error leaves the ticker able to stop."""
    ticker = Ticker([Tick("exit", lambda: None, RARELY)], lambda: NOW)

    def leave() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        ticker._run(Tick("exit", leave, RARELY))
    assert ticker.health["exit"].last_error == "ended"
    assert ticker.stop(0)
