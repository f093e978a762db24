"""The runner: what it counts as proven, what it says without a server, and that an interrupted one leaves nobody."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import tests.postgres
from agent.crashpoint import POINTS
from tests.faults.__main__ import DATABASES, ENOUGH, FAILED_AT_MOST, Tally, figures, is_proven, main
from tests.faults.boundaries import SCOPES, plan, wanted
from tests.faults.command import INTERRUPTED
from tests.faults.evidence import Kind, Violation
from tests.faults.stories import ADDED, BILATERAL, CORRECTED, STORIES, STRUCK, TWO_CHARTS
from tests.harness import wait_until
from tests.peers import ROOT
from tests.postgres import PostgresMissing, running_postgres, skip_if_missing


def proven(**changes: Any) -> dict[str, Any]:
    """Return the figures of a run in which everything held, with some of them changed."""
    reached = {(DATABASES[turn], proves, boundary) for turn, proves, boundary in wanted()}
    tally = Tally({"boundary": ENOUGH, "random": 0}, reached=reached)
    tally.done["boundary"] = ENOUGH
    return figures(tally, 1) | changes


def test_what_is_proven() -> None:
    """Enough kills everywhere, and nothing broken; a few versions may be given up."""
    assert is_proven(proven())
    assert is_proven(proven(failed=FAILED_AT_MOST))
    assert json.loads(json.dumps(proven()))["not_killed_at"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"lost": 1},
        {"duplicates": 1},
        {"stuck": 1},
        {"results_under_retired_id": 1},
        {"failed": FAILED_AT_MOST + 1},
        {"kills": ENOUGH - 1},
    ],
    ids=str,
)
def test_what_is_not_proven(changes: dict[str, int]) -> None:
    """One broken promise, too few kills, or too many versions that were given up."""
    assert not is_proven(proven(**changes))


EVERYWHERE = (*SCOPES, ADDED, BILATERAL, STRUCK)
BY_TURNS = (TWO_CHARTS, CORRECTED)


def test_everybody_is_killed_at_every_boundary() -> None:
    """Each scope and story on both databases; two stories on one of them, by turns."""
    planned = set(wanted())
    assert planned >= set(product((0, 1), EVERYWHERE, POINTS))
    for story in BY_TURNS:
        turns = {
            boundary: {turn for turn, proves, at in planned if (proves, at) == (story, boundary)} for boundary in POINTS
        }
        assert set(map(frozenset, turns.values())) == {frozenset({0}), frozenset({1})}
    assert len(planned) == (2 * len(EVERYWHERE) + len(BY_TURNS)) * len(POINTS)


def test_stories_told_by_turns_die_alone_and_with_the_tree() -> None:
    """On each database, at the first crossing and at the last."""
    once = {of: Counter(dict.fromkeys(POINTS, 5)) for of in STORIES}
    for turn, story in product((0, 1), BY_TURNS):
        kills = {(kill.whom, kill.hit) for kill, _ in plan(once, turn) if kill.of == story}
        assert kills == set(product(SCOPES, (1, 5)))


def test_a_story_that_was_not_killed_at_a_boundary_is_named() -> None:
    """What was planned and not done is no proof."""
    tally = Tally({"boundary": ENOUGH, "random": 0}, reached={("sqlite", ADDED, POINTS[0])})
    missing = figures(tally, 1)["not_killed_at"]
    assert f"postgresql {ADDED} {POINTS[0]}" in missing
    assert f"sqlite {ADDED} {POINTS[0]}" not in missing
    assert len(missing) == len(list(set(wanted()))) - 1
    assert not is_proven(proven(not_killed_at=missing))


def test_only_kills_that_took_effect_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """What killed nobody is told, with how far the run is, and is no kill."""
    tally = Tally({"boundary": 3, "random": 0})
    tally.tell("boundary", "sqlite", "first", [])
    tally.tell("boundary", "sqlite", "nobody", [], is_kill=False)
    assert figures(tally, 1)["kills"] == 1
    assert [line.split(", ")[0] for line in capsys.readouterr().out.splitlines()] == ["[1/3", "[1/3"]
    assert tally.broken[Kind.LOST] == 0


def test_what_stays_broken_is_counted_once() -> None:
    """Every look after it sees it again; on the other database it is another one."""
    tally = Tally({"boundary": 3, "random": 0})
    for database in ("sqlite", "sqlite", "postgresql"):
        tally.tell("boundary", database, "a kill", [Violation(Kind.LOST, "case 7 is failed")] * 2)
    assert figures(tally, 1)["lost"] == 2


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without PostgreSQL."""
    monkeypatch.setattr(tests.postgres, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_server")
def test_without_a_server_the_suite_skips_visibly() -> None:
    """It says what to install; whoever asks for a server outside of the suite gets an error that says it."""
    with pytest.raises(pytest.skip.Exception, match="apt-get install postgresql"):
        skip_if_missing()
    with pytest.raises(PostgresMissing, match="apt-get install postgresql"), running_postgres():
        pass


@pytest.fixture
def signals_restored() -> Iterator[None]:
    """Put back the handlers of signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("no_server", "signals_restored")
def test_without_a_server_the_runner_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, and not 0."""
    monkeypatch.setattr(sys, "argv", ["faults"])
    with pytest.raises(SystemExit, match="apt-get install postgresql"):
        main()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder into which the user of the database server can look, unlike pytest's."""
    with TemporaryDirectory(prefix="sentinode-test-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


@pytest.mark.usefixtures("signals_restored")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(open_folder: Path, number: signal.Signals) -> None:
    """Neither the agent nor the database server outlives it; the logs are kept, and where they are is said."""
    skip_if_missing()
    signal.signal(number, signal.default_int_handler)  # the runner would inherit that it is ignored
    with (open_folder / "out").open("wb") as out:
        runner = subprocess.Popen(
            [sys.executable, "-m", "tests.faults", "--seed", "7"],
            cwd=ROOT,
            stdout=out,
            env=os.environ | {"TMPDIR": str(open_folder)},
            start_new_session=True,
        )
    try:
        wait_until(lambda: are_up(processes(open_folder)) or runner.poll() is not None, 60, "no agent came up")
        runner.send_signal(number)
        assert runner.wait(60) == INTERRUPTED
    finally:
        runner.kill()
    assert processes(open_folder) == []
    said = (open_folder / "out").read_text(encoding="utf-8").splitlines()
    (folder,) = open_folder.glob("sentinode-faults-*")
    assert said[0].startswith("seed 7; ")
    assert str(folder) in said[0]
    assert said[-1].startswith("interrupted")
    assert any(folder.rglob("agent.log"))


def are_up(commands: list[str]) -> bool:
    """Whether the database server and the agent are among the processes."""
    return any("postgres" in one for one in commands) and any(" serve " in one for one in commands)


def processes(folder: Path) -> list[str]:
    """Command lines that name something in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command:
            found.append(command)
    return found
