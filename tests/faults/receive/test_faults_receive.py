"""What a receiver acknowledged is there: a part of what `make faults-receive` does, and defects that it must find."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.receive import lying_disks
from tests.faults.receive.__main__ import BOUNDS, HALF_FULL, Finding, Tally, is_proven, told
from tests.faults.receive.full import Full, may_mount
from tests.faults.receive.injected import OURS, PHASES, Fault, Trials
from tests.faults.receive.ledger import Broken
from tests.faults.receive.power import fail_calls, lose_power
from tests.faults.receive.processes import Zygote
from tests.faults.receive.used_anew import keeps_generation
from tests.peers import program

SEED = 20261122


class Heard:
    """What was tried, and what of it broke something."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.broken: list[tuple[str, Broken]] = []

    def __call__(self, what: str, broken: Broken) -> None:
        """Hear of a trial."""
        self.tried.append(what)
        if broken:
            self.broken.append((what, broken))


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """What receivers are forked from."""
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started


def test_a_kill_at_every_named_point_loses_nothing(zygote: Zygote, tmp_path: Path) -> None:
    """At the first crossing of each."""
    heard = Heard()
    assert Trials(zygote, tmp_path, heard, seed=SEED).kill_at_points(most=1) == set(OURS)
    assert len(heard.tried) >= len(OURS)
    assert heard.broken == []


@pytest.mark.parametrize(("phase", "every"), list(zip(PHASES, (24, 24, 5), strict=True)))
def test_calls_that_kill_or_fail_lose_nothing(zygote: Zygote, tmp_path: Path, phase: str, every: int) -> None:
    """Some of each kind, until a run comes through: it is received again in time, and all is there."""
    program("strace")
    heard = Heard()
    Trials(zygote, tmp_path, heard, seed=SEED).inject(every=every, phases=(phase,))
    assert len(heard.tried) >= 12
    assert heard.broken == []


def test_a_lost_power_loses_nothing(tmp_path: Path) -> None:
    """At every place of one receiver's log that is a multiple of five, whatever is left of what was not synced."""
    heard = Heard()
    lose_power(tmp_path / "power", SEED, heard, every=5)
    assert len(heard.tried) >= 75
    assert heard.broken == []


@pytest.mark.parametrize("call", ["pwritev", "fdatasync", "fsync", "rename"])
def test_what_failed_is_not_acknowledged(tmp_path: Path, call: str) -> None:
    """A call fails, in the end power is lost: what the kernel dropped is nowhere."""
    heard = Heard()
    fail_calls(tmp_path / "failed", SEED, heard, calls=(call,), every=13)
    assert heard.tried
    assert heard.broken == []


def test_a_full_disk_refuses_and_receives_again(zygote: Zygote, tmp_path: Path) -> None:
    """C-ECHO is answered meanwhile; nothing that was acknowledged is missing."""
    heard = Heard()
    full = Full(zygote, tmp_path, heard, seed=SEED)
    full.limit_files(150_000)
    if may_mount(tmp_path):
        full.fill_disk(900_000)
    assert heard.tried
    assert heard.broken == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_half_an_object_at_the_watermark_shuts_nobody_out(zygote: Zygote, tmp_path: Path, is_killed: bool) -> None:
    """Its segment has the highest number, and goes all the same."""
    if not may_mount(tmp_path):
        pytest.skip("only root may mount a small disk")
    heard = Heard()
    Full(zygote, tmp_path, heard, seed=SEED).leave_unfinished(HALF_FULL, is_killed=is_killed)
    assert heard.tried
    assert heard.broken == []


def test_an_acknowledgement_before_the_sync_is_found(tmp_path: Path) -> None:
    """Every trial of power that comes early enough finds it."""
    found = Finding()
    lose_power(tmp_path / "power", SEED, found, every=25, plant=lying_disks.acknowledges_before_sync)
    assert found.found


def test_a_sync_that_is_tried_again_is_found(tmp_path: Path) -> None:
    """The second one succeeds and writes nothing."""
    found = Finding()
    fail_calls(tmp_path / "again", SEED, found, calls=("fdatasync",), every=6, plant=lying_disks.syncs_again)
    assert found.found


def test_a_generation_that_is_not_raised_is_found(tmp_path: Path) -> None:
    """What is new in a segment that is used anew is not seen by who goes on from its old use; old places show it."""
    found = Finding()
    with keeps_generation():
        lose_power(tmp_path / "power", SEED, found, every=25)
    assert found.found


def test_a_generation_that_is_not_raised_is_found_after_a_kill(zygote: Zygote, tmp_path: Path) -> None:
    """At the first crossing of a point behind an acknowledgement, with the new record in a used segment."""
    found = Finding()
    trials = Trials(zygote, tmp_path, found, seed=SEED, planted="keeps_generation")
    trials.kill_at_points(("receive.after_success",))
    assert found.found


@pytest.mark.parametrize("name", ["takes_errors_for_success", "acknowledges_what_it_keeps"])
def test_a_write_that_was_not_made_is_found(zygote: Zygote, tmp_path: Path, name: str) -> None:
    """An error that nobody heeded, and bytes that a kill takes along."""
    program("strace")
    found = Finding()
    trials = Trials(zygote, tmp_path, found, planted=name)
    assert all([trials.one(Fault("association", "write", "error=EIO", number)) for number in (1, 3)])
    assert found.found


def test_what_is_proven() -> None:
    """Enough trials, nothing broken, every point reached, every planted defect found."""
    tally = Tally()
    tally.trials["power"] = int(BOUNDS["trials"].least or 0)
    assert is_proven(told(tally, [], [], 1))
    assert not is_proven(told(tally, ["spool.after_sync"], [], 1))
    assert not is_proven(told(tally, [], ["syncs_again"], 1))
    tally.tell("power", "a trial", Broken(false=frozenset({"2.25.1 00"})))
    assert not is_proven(told(tally, [], [], 1))
    assert not is_proven(told(Tally(), [], [], 1))
