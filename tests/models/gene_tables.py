"""Small tables of facts and genes for tests."""

import numpy as np

from models.genes.prepare import GENE
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
