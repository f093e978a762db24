"""The page about the states is what the table makes it."""

from runpy import run_path

from agent.core.case import TRANSITIONS, CaseEvent, CaseState
from tests.peers import ROOT

SCRIPT = run_path(str(ROOT / "docs" / "make_states.py"))


def test_the_page_is_rendered() -> None:
    """docs/states.md is rendered from the table, never edited."""
    assert (ROOT / "docs" / "states.md").read_text(encoding="utf-8") == SCRIPT["render"]()


def test_the_page_explains_everything() -> None:
    """Every state and every event has its sentence."""
    assert list(SCRIPT["STATES"]) == list(CaseState)
    assert list(SCRIPT["EVENTS"]) == list(CaseEvent)
    assert all(SCRIPT["STATES"].values())
    assert all(SCRIPT["EVENTS"].values())


def test_every_transition_is_drawn() -> None:
    """Each row of the table stands on its arrow."""
    arrows = [line.strip() for line in SCRIPT["render"]().splitlines() if "-->" in line]
    for (before, event), after in TRANSITIONS.items():
        (arrow,) = [line for line in arrows if line.startswith(f"{before} --> {after}:")]
        assert event in arrow.partition(": ")[2].split(", ")
