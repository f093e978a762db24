"""Kills of single processes: only the living are found, and only what died counts."""

import json
import subprocess

import pytest

from tests.faults.installation import Installation
from tests.faults.tree import Tree
from tests.harness import wait_until

ROLES = {"receiver", "keeper", "worker-1"}
pytestmark = pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # who lives is no matter of the database


def all_living(agent: Tree) -> dict[str, int]:
    """Wait until the whole tree lives."""
    return dict(wait_until(lambda: living if (living := agent.living()).keys() == ROLES else None, 30, "no tree"))


def test_a_kill_hits_the_process_that_lives(place: Installation) -> None:
    """It is dead when the kill is told, another one takes its place, and the others stay."""
    place.up()
    before = all_living(place.agent)
    assert place.agent.kill_one("keeper")
    assert before["keeper"] not in place.agent.living().values()
    after = all_living(place.agent)
    assert {role for role in ROLES if before[role] != after[role]} == {"keeper"}


def test_the_processes_of_a_dead_tree_are_nobody(place: Installation) -> None:
    """The log still tells their ids, which may be another's by now: there is nobody to kill, and it does not count."""
    place.up()
    before = all_living(place.agent)
    assert place.agent.kill_all()
    assert place.agent.living() == {}
    assert not place.agent.kill_one("receiver")
    assert not place.agent.kill_all()
    place.start()
    assert not set(all_living(place.agent).values()) & set(before.values())


def test_a_supervisor_takes_its_tree_with_it(place: Installation) -> None:
    """Killed alone it leaves nobody behind."""
    place.up()
    all_living(place.agent)
    assert place.agent.kill_all(supervisor_alone=True)
    wait_until(lambda: not place.agent.has_processes(), 10, "a child outlived its supervisor")


@pytest.mark.parametrize(
    "torn", ['{"event": "process_started", "wor', '{"event": "process_sta{"event": "process_started"}']
)
def test_a_half_written_line_of_the_log_is_passed_over(place: Installation, torn: str) -> None:
    """A process that is killed leaves one now and then."""
    place.up()
    before = all_living(place.agent)
    with place.agent.log_path.open("a", encoding="utf-8") as log:
        log.write(torn + "\n")
    assert place.agent.living() == before


def test_an_id_that_another_process_has_now_is_not_signalled(place: Installation) -> None:
    """The log of the tree names it, but it is no child of the supervisor."""
    place.up()
    all_living(place.agent)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        with place.agent.log_path.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"event": "process_started", "worker": "worker-9", "pid": stranger.pid}) + "\n")
        was_hit = place.agent.kill_one("worker-9")
        outlived = stranger.poll() is None
        stranger.kill()
    assert outlived
    assert not was_hit
