"""Two tables together: what they share, and a model that is tested elsewhere or on labels without meaning."""

from dataclasses import replace

import numpy as np
import pytest

from models.tables.table import Table
from models.tabular.nested import QUICK
from models.tabular.pooled import FACTS, SHARED, band_medians, harmonise, pool
from models.tabular.transport import across_tables, other_places, shuffled
from tests.models.invented import invented_tables


@pytest.fixture(scope="module")
def tables() -> tuple[Table, Table]:
    """Two tables that share some facts."""
    return invented_tables()


def test_a_table_for_evaluation_alone_is_never_learnt_from(tables: tuple[Table, Table]) -> None:
    """Its licence says so."""
    other = replace(tables[0], outside_training=True, licence="CC BY-NC 4.0")
    with pytest.raises(ValueError, match=r"metabric is for evaluations only: CC BY-NC 4\.0"):
        pool([other, other])
    with pytest.raises(ValueError, match="other facts"):
        pool(list(tables))


def test_a_t_becomes_the_median_size_of_its_band(tables: tuple[Table, Table]) -> None:
    """T4 is any size, and so not known; a subtype that the facts do not have is missing."""
    medians = band_medians(tables[0])
    found = harmonise(tables[1], SHARED, medians)
    for index, name in enumerate(("T1", "T2", "T3")):
        assert set(found.values[tables[1].values[:, 1] == index, 1]) == {medians[name]}
    assert np.isnan(found.values[tables[1].values[:, 1] == 3, 1]).all()
    theirs = harmonise(tables[0], FACTS, medians)
    assert np.isnan(theirs.values[tables[0].values[:, -1] == 1, 3]).all()


def test_a_model_is_tested_elsewhere(tables: tuple[Table, Table]) -> None:
    """From one table to the other, with the drop; and at the site that was left out."""
    found = across_tables(*tables, QUICK, draws=50)
    for how, target in (("metabric to tcga", 180), ("tcga to metabric", 240)):
        assert 0.4 < found[how]["auc"]["value"] < 1, target
        assert found[how]["drop"]["value"] == pytest.approx(found[how]["auc"]["value"] - found[how]["auc_of_its_own"])
    assert set(other_places(tables[0], QUICK)) == {"without A", "without B"}
    years = np.arange(240.0)
    assert set(other_places(replace(tables[0], site=None, time=years), QUICK)) == {"from 168 on"}


def test_shuffled_labels_say_nothing(tables: tuple[Table, Table]) -> None:
    """Though the true ones say much."""
    found = shuffled(tables[0], QUICK, seeds=10)
    assert abs(found["mean_auc"] - 0.5) < 0.06 and found["inside"] >= 6
