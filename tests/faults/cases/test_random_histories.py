"""A share of the random histories; and that each figure is more than nothing where the agent has a defect."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import agent.infer.selection
from agent.assemble.circle import Circle
from agent.assemble.patients import Patients
from agent.assemble.versions import Versions
from agent.core.clinical import ClinicalFacts
from agent.core.prediction import Side
from agent.core.usable import unusable
from tests.fakes.store import FakeUnit
from tests.faults.cases.__main__ import HISTORIES, LOOKED_AT, figures, is_proven, main
from tests.faults.cases.generator import think_up
from tests.faults.cases.oracle import Wrong
from tests.faults.cases.runner import Databases, minimal, orders_of, story_of
from tests.faults.cases.truth import Photo

MOST = 80  # histories until a defect shows


def first_failing(wrong: Wrong, **defects: bool) -> int | None:
    """Return the first seed of which the history goes wrong in this way."""
    return next((seed for seed in range(MOST) if story_of(seed, **defects).found[wrong]), None)


def test_nothing_goes_wrong(tmp_path: Path) -> None:
    """Histories in three orders, one of them on SQLite too: nothing is mixed, retired, future or of the other side."""
    total: Counter[str] = Counter()
    for seed in range(1, 16):
        verdict = story_of(seed, Databases(tmp_path) if seed == 1 else None)
        assert not verdict.found, minimal(seed)
        total.update(verdict.looks)
    assert total["sent"] > 20 and total["images_used"] > 20 and total["facts_used"] > 20


def _no_regrouping(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Patients, "_regroup", lambda *_: None)


def _no_cutoff(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ClinicalFacts, "before", lambda facts, _: facts)


def _no_side(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.infer.selection, "unusable", lambda image, _, window: unusable(image, tuple(Side), window))


def _no_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Circle, "conflicts", lambda *_: [])


def _no_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeUnit, "arrived", lambda *_: None)


def _breaks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Versions, "move", None)


@pytest.mark.parametrize(
    ("plant", "wrong"),
    [
        (_no_regrouping, Wrong.RETIRED),
        (_no_regrouping, Wrong.ORDER),
        (_no_cutoff, Wrong.FUTURE),
        (_no_side, Wrong.SIDE),
        (_no_holds, Wrong.MIXED),
        (_no_holds, Wrong.ORDER),
        (_no_ends, Wrong.ENDS),
        (_breaks, Wrong.CRASHED),
    ],
)
def test_a_planted_defect_shows(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], wrong: Wrong
) -> None:
    """Each figure counts what it is named after."""
    plant(monkeypatch)
    assert first_failing(wrong) is not None


def test_a_courier_that_sends_what_was_withdrawn_shows() -> None:
    """Closed cases hold what must not leave, as results under a retired key."""
    assert first_failing(Wrong.RETIRED, sends_closed_cases=True) is not None


def test_nobody_who_decides_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that stays held is stuck."""
    monkeypatch.setattr("tests.faults.cases.play.decide", lambda *_: 0)
    assert first_failing(Wrong.STUCK) is not None


def test_a_failing_history_is_told_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it still fails, and no more is told than that takes."""
    _no_side(monkeypatch)
    seed = first_failing(Wrong.SIDE)
    assert seed is not None
    told = minimal(seed)
    assert Wrong.SIDE in told and told.count("image ") <= 3
    assert len(think_up(seed).messages) > told.count("\n  ")


def test_a_history_is_repeated_by_its_seed() -> None:
    """The same seed thinks up the same story in the same orders, and lives through it to the same end."""
    first, second = think_up(7), think_up(7)
    assert [_named(m) for m in first.messages] == [_named(m) for m in second.messages]
    assert [[s.chance for s in o] for o in orders_of(first, 7)] == [[s.chance for s in o] for o in orders_of(second, 7)]
    assert story_of(7).final == story_of(7).final != {}


def _named(message: object) -> object:
    return message.payload if isinstance(message, Photo) else message


def test_stories_hold_everything() -> None:
    """Mistakes of every kind are among them: wrong objects, foreign names, one Patient ID of two issuers, no facts."""
    stories = [think_up(seed) for seed in range(40)]
    ids = [{key.patient_id for key in story.owner_of} for story in stories]
    assert any(len(story.owner_of) > len(some) for story, some in zip(stories, ids, strict=True))
    assert any(story.foreign for story in stories)
    assert any(not photo.is_right for story in stories for photo in story.photos)
    assert any(photo.owner != story.owner_of[photo.header.patient] for story in stories for photo in story.photos)
    assert {person.sides for story in stories for person in story.persons} == {"", "L", "R", "LR"}


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, True), ({Wrong.MIXED.value: 1}, False), ({"images_used": 0}, False)]
)
def test_what_is_proven(changes: dict[str, int], expected: bool) -> None:
    """Nothing wrong, and something that was looked at."""
    total = Counter(dict.fromkeys(LOOKED_AT, 5))
    assert is_proven(figures(total, 0, HISTORIES, 1.0) | changes) is expected


@pytest.mark.parametrize("is_defect", [False, True])
def test_the_command_says_it_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_defect: bool
) -> None:
    """The last line is JSON; a failing history is told with the seed that repeats it, and ends with 1."""
    if is_defect:
        _no_ends(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["cases", "--seed", "1", "--count", "2"])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr().out
    said = json.loads(out.splitlines()[-1])
    assert bool(ended.value.code) is is_defect and said["histories"] == 2
    assert ("--seed 1 --count 1 repeats it" in out) is is_defect
