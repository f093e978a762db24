"""Small tables of facts and genes for tests."""

import gzip
from pathlib import Path

import numpy as np

from models.genes.prepare import GENE
from models.tables.catalogue import SOURCES
from models.tables.source import Number
from models.tables.table import Fact, Floats, Table

FACTS = (Fact("age", "years", 18, 110), Fact("grade", values=("1", "2", "3")))


def made(
    patients: int = 120, genes: int = 12, seed: int = 0, strength: float = 2.0, missing: float = 0.05
) -> tuple[Table, Floats]:
    """A table with a few values missing whose outcome goes with age and the first two genes; and their true logit."""
    rng = np.random.default_rng(seed)
    expression = rng.normal(3.0, 2.0, (patients, genes))
    age, grade = rng.normal(55, 10, patients), rng.integers(0, 3, patients).astype(float)
    z = (expression - 3) / 2
    logit = strength * (z[:, 0] - z[:, 1] + (age - 55) / 10)
    labels = rng.random(patients) < 1 / (1 + np.exp(-logit))
    values = np.column_stack((age, grade))
    values[rng.random(values.shape) < missing] = np.nan
    expression[rng.random(expression.shape) < missing] = np.nan
    table = Table(
        name="made",
        patients=tuple(f"p{i}" for i in range(patients)),
        facts=FACTS,
        values=values,
        labels=labels,
        label="made",
        licence="CC0",
        outside_training=True,
        forbidden={},
        genes=tuple(f"G{i}" for i in range(genes)),
        expression=expression,
    )
    return table, logit


def wide_facts(genes: int = 12) -> tuple[Fact, ...]:
    """Facts of the widened table."""
    return (*FACTS, *(Fact(f"G{i}", "as published", group=GENE) for i in range(genes)))


def write_metabric(folder: Path, patients: int = 80, genes: int = 15, seed: int = 0) -> Path:
    """Write a file with METABRIC's columns and made-up patients below a data folder; returns the folder."""
    rng, source = np.random.default_rng(seed), SOURCES["metabric"]
    columns: dict[str, list[str]] = {source.patient: [f"p{i}" for i in range(patients)]}
    for one in source.columns:
        if isinstance(one, Number):
            drawn = rng.integers(int(max(one.low, 1)), int(min(one.high, 60)) + 1, patients)
            columns[one.column] = [str(number) for number in drawn]
        else:
            columns[one.column] = rng.choice(list(one.words), patients).tolist()
    expression = rng.standard_normal((patients, genes))
    nodes = expression[:, 0] + rng.standard_normal(patients) > 0
    columns["lymph_nodes_examined_positive"] = [str(int(one)) for one in nodes]
    columns["cohort"] = ["1"] * patients
    columns |= {f"gene{i}": [f"{number:.3f}" for number in expression[:, i]] for i in range(genes)}
    text = "\n".join(",".join(row) for row in (tuple(columns), *zip(*columns.values(), strict=True)))
    path = folder / source.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    return folder
