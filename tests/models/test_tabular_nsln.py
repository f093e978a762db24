"""Nested models beyond the sentinel node, on synthetic patients whose best possible AUC is known."""

import numpy as np
import pytest

from models.statistics import delong
from models.tables.table import NODE_READING
from models.tabular.nested import QUICK
from models.tabular.nsln import best_areas, compared
from models.tabular.sentinel import sentinel_positive


def test_findings_of_the_node_add_to_facts() -> None:
    """CA is above C on the same patients, and neither above what is possible."""
    found = compared(QUICK, patients=400, draws=50)
    for arm, one in found["arms"].items():
        assert 0.5 < one["discrimination"]["auc"]["value"] < found["best"][arm] + 0.03, arm
    assert found["arms"]["CA"]["against"]["C"]["auc"]["value"] > 0
    assert found["arms"]["C"]["rows"] == 400 and not found["arms"]["C"]["against"]


def test_the_best_possible_is_told_by_facts_and_more_by_ultrasound() -> None:
    """Another seed says the same to within the error of the simulation."""
    one, other = best_areas(1, 100_000), best_areas(2, 100_000)
    assert 0.6 < one["C"] < one["CA"] < 0.8
    assert one == pytest.approx(other, abs=0.015)


def test_every_patient_has_a_positive_sentinel_node() -> None:
    """About a third have more; the cortex tells of it, and facts alone have no finding of the node."""
    table = sentinel_positive(600, 3)
    assert 0.25 < table.labels.mean() < 0.40
    names = [fact.name for fact in table.facts]
    assert delong.area(table.values[:, names.index("aus_cortex_mm")], table.labels) > 0.55
    assert not {"aus_cortex_mm", "aus_hilum"} & {fact.name for fact in table.without(NODE_READING).facts}
    assert np.isfinite(table.values).all()
    assert "synthetic" in table.label
