"""Decision curves against dcurves and by hand."""

import numpy as np
import pytest

pandas = pytest.importorskip("pandas", reason="pandas is not installed (group: dev)")
dcurves = pytest.importorskip("dcurves", reason="dcurves is not installed (group: dev)")

from models.statistics import decisions
from tests.predictions import drawn

THRESHOLDS = np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.75, 0.9])


@pytest.mark.parametrize("seed", range(3))
def test_net_benefit_is_that_of_dcurves(seed: int) -> None:
    """Of the model, of treating all and none, and the interventions avoided, to 1e-9."""
    p, y = drawn(400, seed, centre=-0.5)
    p = np.round(p, 2)
    table = pandas.DataFrame({"y": y.astype(int), "p": p})
    known = dcurves.dca(data=table, outcome="y", modelnames=["p"], thresholds=list(THRESHOLDS), nper=100)
    by = {name: part.sort_values("threshold") for name, part in known.groupby("model")}
    found = decisions.decision_curve(p, y, THRESHOLDS, seed=0, draws=2)
    assert [d.model.value for d in found] == pytest.approx(by["p"].net_benefit.to_list(), abs=1e-9)
    assert [d.treat_all.value for d in found] == pytest.approx(by["all"].net_benefit.to_list(), abs=1e-9)
    assert [d.treat_none for d in found] == by["none"].net_benefit.to_list()
    avoided = by["p"].net_intervention_avoided.to_list()
    assert [d.interventions_avoided.value for d in found] == pytest.approx(avoided, abs=1e-7)


def test_net_benefit_by_hand() -> None:
    """Four patients at a threshold of 0.2: two hits, one false alarm, at odds of 1 to 4."""
    p, y = np.array([0.1, 0.2, 0.3, 0.9]), np.array([False, True, False, True])
    assert decisions.net_benefit(p, y, np.array([0.2])) == pytest.approx([2 / 4 - 1 / 4 / 4])
    assert decisions.treat_all(y, np.array([0.2])) == pytest.approx([2 / 4 - 2 / 4 / 4])


def test_a_useful_model_beats_both_and_its_interval_says_so() -> None:
    """At the prevalence, treating all and none are worth nothing and the model something."""
    p, y = drawn(1500, 4, spread=2)
    (found,) = decisions.decision_curve(p, y, [0.5], seed=0, draws=200)
    assert found.advantage.low > 0
    assert found.model.low < found.model.value < found.model.high
    assert found.treat_all.low < 0 < found.treat_all.high


def test_advantage_is_over_the_better_of_all_and_none() -> None:
    """At low thresholds that is all, at high ones none."""
    p, y = drawn(300, 5)
    low, high = decisions.decision_curve(p, y, [0.1, 0.9], seed=0, draws=5)
    assert low.advantage.value == pytest.approx(low.model.value - low.treat_all.value)
    assert high.advantage.value == pytest.approx(high.model.value)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_thresholds_are_inside(threshold: float) -> None:
    """At 0 and 1 the odds are none."""
    with pytest.raises(ValueError, match="inside"):
        decisions.decision_curve([0.2, 0.4], [0, 1], [threshold], seed=0)
