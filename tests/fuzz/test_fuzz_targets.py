"""Every fuzz target holds on what Hypothesis thinks of, and on changed seeds; the harness notices one that does not."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 150
CHANGED = 400
GUIDED_S = 60


def held(run: Callable[[bytes], None], inputs: st.SearchStrategy[bytes], examples: int) -> int:
    """Return of how many inputs a target holds; it raises on the first, made small, of which it does not."""
    count = 0

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(inputs)
    def holds(data: bytes) -> None:
        nonlocal count
        run(data)
        count += 1

    holds()
    return count


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name: str) -> None:
    """From nothing: it holds of every input that was thought of."""
    assert held(TARGETS[name].run, st.binary(max_size=300), EXAMPLES) >= EXAMPLES


@pytest.mark.parametrize("name", TARGETS)
def test_changed_bytes(name: str) -> None:
    """From what is right, and from what once broke something: it holds of every seed, and of what becomes of them."""
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    for seed in seeds:
        target.run(seed)
    changed = st.integers(0, 1 << 32).map(lambda seed: mutated(seeds, random.Random(seed)))
    assert held(target.run, changed, CHANGED) >= CHANGED


def test_a_target_that_does_not_hold_is_noticed() -> None:
    """By its error on the smallest input."""
    tried: list[bytes] = []

    def weak(data: bytes) -> None:
        tried.append(data)
        assert len(data) < 3

    with pytest.raises(AssertionError):
        held(weak, st.binary(max_size=300), EXAMPLES)
    assert tried[-1] == bytes(3)


def test_guided_bytes(tmp_path: Path) -> None:
    """Led by what they cover, all targets together for a minute."""
    pytest.importorskip("atheris", reason="atheris is not installed: no wheel for this machine")
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(GUIDED_S), "--seed", "7", "--folder", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["guided"]
    assert {name for name, inputs in last["tried"].items() if inputs > 100} == set(TARGETS)


def test_the_harness_runs_and_tells() -> None:
    """Plainly, for a second, as `make fuzz` runs it where there is no atheris."""
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", "1", "--targets", "framing", "--plain", "--seed", "7"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["holds"]
    assert last["figures"]["inputs"]["value"] > 100


def test_an_input_that_breaks_a_target_is_kept(tmp_path: Path) -> None:
    """The harness fails, and leaves it behind."""
    from tests.fuzz import one

    def weak(data: bytes) -> None:
        assert data == b"seed"

    with pytest.raises(AssertionError):
        one.fuzz(tmp_path, Target(weak, lambda: [b"seed"]), 5, 7)
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() != b"seed"
