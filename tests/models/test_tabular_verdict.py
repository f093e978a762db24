"""What a release is held to: bounds, slopes of several tables together, and how a run ends."""

from typing import Any

import pytest

from models.genes.noise import NOISE
from models.tabular.study import EVERY, SERVED
from models.tabular.systems import BASELINE
from models.tabular.verdict import BOUNDS, Bound, figures_of, headline, slopes_p, verdict

HELD = {name: bound.low if bound.low > 0 else bound.high for name, bound in BOUNDS.items()}


def test_all_hold_at_their_bounds() -> None:
    """Each figure that has one says its bound; one without is told, and nothing is asked of it."""
    said = verdict(HELD | {"gse4335_auc": 0.5})
    assert said["name"] == "models-tables" and said["holds"]
    assert said["figures"]["metabric_auc"] == {"value": 0.64, "bound": 0.64, "holds": True}
    assert said["figures"]["shuffled_mean_auc"]["bound"] == [0.48, 0.52]
    assert said["figures"]["gse4335_auc"] == {"value": 0.5}


@pytest.mark.parametrize("name", BOUNDS)
def test_one_that_does_not_hold_fails_all(name: str) -> None:
    """As does one that is missing."""
    bound = BOUNDS[name]
    beyond = bound.low - 0.01 if bound.low > 0 else bound.high + 0.01
    assert not verdict(HELD | {name: beyond})["holds"]
    lacking = verdict({other: value for other, value in HELD.items() if other != name})
    assert not lacking["holds"] and lacking["figures"][name]["value"] is None


def test_the_figures_of_the_issue_have_their_bounds() -> None:
    """The served AUCs, calibration, shuffled labels and the time."""
    assert [BOUNDS[f"{name}_auc"].low for name in ("metabric", "tcga", "rotterdam")] == [0.64, 0.62, 0.67]
    assert BOUNDS["metabric_ece_within_range"] == Bound(1) and BOUNDS["shuffled_inside"] == Bound(17)
    assert str(BOUNDS["shuffled_mean_auc"]) == "0.48 to 0.52" and str(BOUNDS["minutes_on_2_cores"]) == "at most 60"


def judged(question: str, difference: float = 0.01, p: float = 0.5) -> dict[str, Any]:
    """What is known of one question, as far as it is named."""
    summary = {
        "discrimination": {"auc": {"value": 0.6, "high": 0.7}},
        "calibration": {
            "slope_covers_1": True,
            "slope": {"value": 1.0, "low": 0.8, "high": 1.2},
            "ece": {"equal_count": {"within_range": True}},
        },
    }
    return {
        "question": question,
        "systems": {name: {"summary": summary} for name in (SERVED, BASELINE)},
        "best_simple": {"difference": {"value": difference}, "p": p},
        "noise": {NOISE: {"p": 0.4}},
    }


@pytest.mark.parametrize(("difference", "p", "worse"), [(-0.02, 0.01, 1), (-0.02, 0.08, 0), (0.02, 0.01, 0)])
def test_worse_is_what_is_shown_to_be_worse(difference: float, p: float, worse: int) -> None:
    """Below the best simple system by more than luck that picked it; never where above."""
    assert headline(judged("tcga", difference, p))["worse_than_best_simple"] == worse


def test_a_whole_run_has_every_figure_that_is_bound() -> None:
    """By its very name, or the bound could never be met."""
    way = {"auc": {"value": 0.6}, "drop": {"value": 0.0}}
    results = {
        "questions": [judged(question.name) for question in EVERY],
        "across": {"metabric to tcga": way, "tcga to metabric": way},
        "shuffled": {"mean_auc": 0.5, "inside": 19},
        "genes": [judged("metabric_genes")],
        "nsln": {"arms": {"C": {"discrimination": {"auc": {"value": 0.6}}}}},
        "cpu_seconds": 3600.0,
    }
    figures = figures_of(results)
    assert set(BOUNDS) <= set(figures) and figures["minutes_on_2_cores"] == 30


def _with_slope(value: float, reach: float) -> dict[str, Any]:
    slope = {"value": value, "low": value - reach, "high": value + reach}
    return {"systems": {SERVED: {"summary": {"calibration": {"slope": slope}}}}}


def test_many_slopes_are_judged_together() -> None:
    """One in ten that just misses 1 is luck; one that is far off is not."""
    right = [_with_slope(1.0, 0.2)] * 9
    assert slopes_p([*right, _with_slope(0.78, 0.2)]) > 0.05
    assert slopes_p([*right, _with_slope(0.6, 0.2)]) < 0.05
    assert slopes_p([_with_slope(1 - 0.196, 0.196)]) == pytest.approx(0.05, abs=1e-3)
