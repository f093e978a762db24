"""One summary of everything, and its figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra: train)")

from models.statistics import delong, operating, report, scores
from models.statistics.abstention import abstention_curve
from models.statistics.values import plain
from tests.predictions import drawn

P, Y = drawn(240, 0)
FOLD_OF = np.arange(240) % 4
OTHER = np.random.default_rng(0).random(240)


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    """Everything asked for at once."""
    return report.summarise(
        Y,
        P,
        folds=FOLD_OF,
        seed=0,
        fixed={"low": 0.3},
        subgroups={"half": np.where(np.arange(240) < 230, "most", "few")},
        uncertainty=OTHER,
        against={"noise": OTHER, "itself": P},
        draws=30,
    )


def test_a_summary_is_json_without_nan(summary: dict[str, Any]) -> None:
    """It comes back from strict JSON as it went in."""
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_a_summary_says_what_its_parts_say(summary: dict[str, Any]) -> None:
    """Each figure is that of the function it comes from."""
    auc = delong.interval(P, Y)
    assert summary["discrimination"]["auc"] == {"value": auc.value, "low": auc.low, "high": auc.high}
    assert summary["discrimination"]["auc_bootstrap"]["value"] == pytest.approx(auc.value)
    within = np.mean([delong.area(P[np.equal(FOLD_OF, k)], Y[np.equal(FOLD_OF, k)]) for k in range(4)])
    assert summary["discrimination"]["auc_within_folds"] == pytest.approx(within)
    assert summary["scores"]["brier"]["value"] == scores.brier(P, Y)
    assert summary["scores"]["log_loss"]["value"] == scores.log_loss(P, Y)
    assert summary["calibration"]["slope_bootstrap"]["value"] == summary["calibration"]["slope"]["value"]
    assert summary["calibration"]["observed_to_expected"] == pytest.approx(Y.sum() / P.sum())
    goals = [operating.Goal("sensitivity", x) for x in (0.9, 0.95, 0.98)] + [operating.Goal("specificity", 0.9)]
    assert list(summary["operating_points"]) == [str(g) for g in goals]
    (known,) = operating.cross_fitted(P, Y, FOLD_OF, goals[1:2], seed=0, draws=2)
    assert summary["operating_points"]["sensitivity >= 0.95"]["thresholds"] == list(known.thresholds)
    assert summary["fixed_thresholds"]["low"]["thresholds"] == [0.3]
    assert summary["abstention"][1]["auc"]["value"] == abstention_curve(P, Y, OTHER, seed=0, draws=1)[1].auc.value
    assert [d["threshold"] for d in summary["decision_curve"]] == list(report.THRESHOLDS)
    assert [(s["level"], s["too_small"]) for s in summary["subgroups"]] == [("few", True), ("most", False)]
    assert (summary["rows"], summary["patients"], summary["rows_are_patients"]) == (240, 240, True)


def test_comparisons_are_adjusted_for_their_number(summary: dict[str, Any]) -> None:
    """Better than noise, no better than itself."""
    noise, itself = summary["against"]["noise"], summary["against"]["itself"]
    assert noise["p_holm"] == pytest.approx(2 * noise["p"])
    assert noise["auc"]["low"] > 0 > noise["brier_bootstrap"]["high"]
    assert noise["auc_bootstrap"]["value"] == pytest.approx(noise["auc"]["value"])
    assert itself["p"] == itself["p_holm"] == itself["p_benjamini_hochberg"] == 1


def test_judgements_follow_from_the_figures(summary: dict[str, Any]) -> None:
    """The slope covers 1 and the ECE is within its range where the figures say so."""
    calibration = summary["calibration"]
    assert calibration["slope_covers_1"] == (calibration["slope"]["low"] <= 1 <= calibration["slope"]["high"])
    for ece in calibration["ece"].values():
        assert ece["within_range"] == (ece["value"] <= ece["by_luck"])


def test_a_summary_comes_again_by_its_seed() -> None:
    """The same to the last digit; another seed moves the bootstrap alone."""
    one, same, other = (report.summarise(Y, P, folds=FOLD_OF, seed=s, draws=10) for s in (1, 1, 2))
    assert one == same
    assert one["scores"]["brier"] != other["scores"]["brier"]
    assert one["discrimination"]["auc"] == other["discrimination"]["auc"]


def test_without_others_no_threshold_is_chosen() -> None:
    """A threshold chosen on those it is judged by is not offered, nor what was not asked for."""
    found = report.summarise(Y, P, seed=0, draws=5)
    assert found["operating_points"] == found["fixed_thresholds"] == found["against"] == {}
    assert found["subgroups"] == found["heterogeneity"] == found["abstention"] == []


def test_thresholds_may_come_from_another_cohort() -> None:
    """Those who trained the model set them."""
    before = drawn(200, 9)
    found = report.summarise(Y, P, set_on=(before[1], before[0]), seed=0, draws=5)["operating_points"]
    wanted = operating.Goal("sensitivity", 0.9).threshold(*before)
    assert found["sensitivity >= 0.90"]["thresholds"] == [wanted]


def test_rows_of_one_patient_are_not_patients() -> None:
    """Repeated rows are said to be, and only the bootstrap takes them for what they are."""
    once = report.summarise(Y, P, seed=0, draws=100)
    many = report.summarise(np.repeat(Y, 4), np.repeat(P, 4), groups=np.repeat(np.arange(240), 4), seed=0, draws=100)

    def width(found: dict[str, float]) -> float:
        return found["high"] - found["low"]

    assert (many["patients"], many["rows_are_patients"]) == (240, False)
    assert width(many["scores"]["brier"]) == pytest.approx(width(once["scores"]["brier"]))
    assert width(many["discrimination"]["auc"]) < 0.6 * width(once["discrimination"]["auc"])


def test_a_single_outcome_cannot_be_summarised() -> None:
    """There is no AUC then."""
    with pytest.raises(ValueError, match="positives and negatives"):
        report.summarise([0, 0], [0.1, 0.2], seed=0)


def test_the_roc_curve_is_the_empirical_one() -> None:
    """At each step of 1 - specificity it is the highest sensitivity that can be had there."""
    metrics = pytest.importorskip("sklearn.metrics")
    p = np.round(P, 1)
    x, y, _ = metrics.roc_curve(Y, p, drop_intermediate=False)
    for at, found in report.roc_curve(p, Y):
        assert found == pytest.approx(y[x <= at + 1e-9].max())


def test_plain_values_are_what_json_knows() -> None:
    """Infinity and NaN are null, arrays lists, keys text."""
    given = {1: np.array([1.0, np.nan]), "b": (np.True_, np.int64(3), float("inf"), None, "x")}
    assert plain(given) == {"1": [1.0, None], "b": [True, 3, None, None, "x"]}


def test_figures_are_drawn_from_a_summary(summary: dict[str, Any], tmp_path: Path) -> None:
    """One small PNG, even after JSON, and the same bytes twice."""
    plots = pytest.importorskip("models.statistics.plots", reason="matplotlib is not installed (extra: train)")
    back = json.loads(json.dumps(summary))
    for name in ("new", "again"):
        plots.save(back, tmp_path / name / "metabric.png", title="METABRIC")
    written = (tmp_path / "new" / "metabric.png").read_bytes()
    assert written.startswith(b"\x89PNG") and 5_000 < len(written) < 40_000
    assert written == (tmp_path / "again" / "metabric.png").read_bytes()


def test_no_subgroups_no_forest(summary: dict[str, Any], tmp_path: Path) -> None:
    """What the summary has no values for is not drawn."""
    plots = pytest.importorskip("models.statistics.plots", reason="matplotlib is not installed (extra: train)")
    sizes = []
    for name, subgroups in (("all", summary["subgroups"]), ("none", [])):
        plots.save(summary | {"subgroups": subgroups}, tmp_path / f"{name}.png")
        sizes.append((tmp_path / f"{name}.png").stat().st_size)
    assert sizes[1] < sizes[0]


def test_a_figure_says_what_is_undefined() -> None:
    """A value without an interval is not written as a number."""
    plots = pytest.importorskip("models.statistics.plots", reason="matplotlib is not installed (extra: train)")
    assert plots.span({"value": 0.5, "low": None, "high": None}) == "undefined"
    assert plots.span({"value": 0.5, "low": 0.25, "high": 0.75}, 2) == "0.50 (0.25–0.75)"


def test_a_cautious_interval_reaches_as_far_as_both() -> None:
    """And is the exact one where the bootstrap found none."""
    exact, again = {"value": 0.9, "low": 0.85, "high": 0.94}, {"value": 0.9, "low": 0.88, "high": 0.95}
    point = {"exact": {"sensitivity": exact}, "chosen_again": {"sensitivity": again}}
    assert report.cautious(point, "sensitivity") == {"value": 0.9, "low": 0.85, "high": 0.95}
    point["chosen_again"]["sensitivity"] = again | {"low": None, "high": None}
    assert report.cautious(point, "sensitivity") == exact
