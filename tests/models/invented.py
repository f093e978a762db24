"""Tables of made-up patients who share some facts, as two real tables do."""

import numpy as np

from models.tables.table import Fact, Table
from models.tabular.pooled import FACTS

METABRIC_FACTS = (*(fact for fact in FACTS if fact.name != "subtype"), Fact("subtype", values=("luminal_a", "other")))
TCGA_FACTS = (FACTS[0], Fact("pathological_t", values=("T1", "T2", "T3", "T4"), group="size"), FACTS[2], FACTS[3])


def invented(name: str, facts: tuple[Fact, ...], count: int, seed: int) -> Table:
    """Patients like those of a real table: size tells the outcome."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.integers(0, len(f.values), count).astype(float) if f.is_category else rng.uniform(f.low, f.high / 2, count)
        for f in facts
    ]
    values = np.column_stack(columns)
    size = values[:, 1] / values[:, 1].std()
    labels = rng.random(count) < 1 / (1 + np.exp(-1.5 * (size - size.mean())))
    site = np.array(["A", "B"])[rng.integers(0, 2, count)]
    patients = tuple(map(str, range(count)))
    return Table(name, patients, facts, values, labels, "any", "CC0", False, {"nodes": "outcome"}, site=site)


def invented_tables() -> tuple[Table, Table]:
    """Two tables that share some facts."""
    return invented("metabric", METABRIC_FACTS, 240, 1), invented("tcga", TCGA_FACTS, 180, 2)
