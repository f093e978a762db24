"""The supervisor with processes of the tests' own: a crash loop is slowed down, and holds up nobody."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.harness import wait_until
from tests.peers import ROOT

CANARY = "Doe^Jane"


class Tree:
    """A running `tests.fakes.tree`."""

    def __init__(self, folder: Path) -> None:
        self.starts_path = folder / "starts"
        self.starts_path.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.tree", str(ROOT / "config.yaml"), str(self.starts_path)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"CANARY": CANARY},
        )

    def starts(self, name: str) -> list[tuple[int, float]]:
        """Process id and time of each start of one role."""
        lines = (line.split() for line in self.starts_path.read_text(encoding="ascii").splitlines())
        return [(int(pid), float(at)) for role, pid, at in lines if role == name]

    def wait_starts(self, name: str, count: int) -> list[tuple[int, float]]:
        """Wait until a role was started so often."""
        wait_until(lambda: len(self.starts(name)) >= count, 30, f"{name} was not started {count} times", every_s=0.01)
        return self.starts(name)

    def stop(self) -> str:
        """SIGTERM; return what was logged. Fails if the tree does not end in order."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return log


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A process tree that is gone when the test ends."""
    made = Tree(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def test_crash_loop_is_slowed_down(tree: Tree) -> None:
    """The fourth, fifth and sixth early death cost 0.25, 0.5 and 1 s."""
    at = [moment for _, moment in tree.wait_starts("crasher", 7)]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert [gap >= least for gap, least in zip(gaps[3:6], (0.25, 0.5, 1.0), strict=True)] == [True] * 3
    assert len(tree.starts("steady")) == 1


def test_crash_loop_does_not_hold_up_the_others(tree: Tree) -> None:
    """While the crasher waits for its next start, a process that is killed is back before that start."""
    crashes = tree.wait_starts("crasher", 7)  # its next start is two seconds away
    ((steady, _),) = tree.starts("steady")
    os.kill(steady, signal.SIGKILL)
    tree.wait_starts("steady", 2)
    assert len(tree.starts("crasher")) == len(crashes)


def test_stop_does_not_wait_for_one_that_is_not_to_start_yet(tree: Tree) -> None:
    """A crash loop that waits does not keep the tree from ending; its error is logged without its text."""
    tree.wait_starts("crasher", 7)
    log = tree.stop()
    assert "process_failed" in log
    assert "RuntimeError" in log
    assert CANARY not in log
    assert "Traceback" not in log
