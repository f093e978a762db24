"""METABRIC and TCGA-BRCA in the same facts: what a served model may learn from, and a test of one by the other."""

from dataclasses import replace
from typing import Final

import numpy as np

from models.tables.table import SIZE, Fact, Floats, Table

SIZE_BANDS: Final = {"T1": (0.0, 20.0), "T2": (20.0, 50.0), "T3": (50.0, 200.0)}  # mm, of the T of the TNM
_SIGN: Final = ("negative", "positive")

SHARED: Final = (
    Fact("age", "years", 18, 110),
    Fact("size_pathology_mm", "mm", 1, 200, log=True, group=SIZE),
    Fact("histological_type", values=("NST", "lobular", "mixed", "other")),
    Fact("subtype", values=("luminal_a", "luminal_b", "her2", "triple_negative")),
)
"""What both tables have."""

FACTS: Final = (
    *SHARED,
    Fact("grade", "Nottingham grade", 1, 3),
    Fact("menopausal_status", values=("pre", "post")),
    Fact("er", values=_SIGN),
    Fact("pr", values=_SIGN),
    Fact("her2", values=_SIGN),
)
"""What at least one of them has, by the agent's names and values."""


def harmonise(table: Table, facts: tuple[Fact, ...], medians: dict[str, float]) -> Table:
    """Return a table in other facts: a value that they do not have is missing, a T becomes its band's median size.

    Parameters
    ----------
    medians : dict
        By T, the size in mm that stands for it; a T that is not there is missing.
    """
    columns = [_column(table, fact, medians) for fact in facts]
    return replace(table, facts=facts, values=np.column_stack(columns), genes=(), expression=None)


def band_medians(table: Table) -> dict[str, float]:
    """Return the median size in mm of each band of T1 to T3 among patients whose size is known; T4 is any size."""
    sizes = _named(table, "size_pathology_mm")
    return {t: float(np.median(sizes[(sizes > low) & (sizes <= high)])) for t, (low, high) in SIZE_BANDS.items()}


def pool(tables: list[Table]) -> Table:
    """Put harmonised tables under each other; a patient's site is her table.

    Raises
    ------
    ValueError
        If a table may not be learnt from, or tables differ in their facts.
    """
    for table in tables:
        if table.outside_training:
            raise ValueError(f"{table.name} is for evaluations only: {table.licence}")
        if table.facts != tables[0].facts:
            raise ValueError(f"{table.name} has other facts than {tables[0].name}")
    return Table(
        name=" and ".join(table.name for table in tables),
        patients=tuple(f"{table.name} {patient}" for table in tables for patient in table.patients),
        facts=tables[0].facts,
        values=np.vstack([table.values for table in tables]),
        labels=np.concatenate([table.labels for table in tables]),
        label="any axillary lymph-node metastasis at surgery (isolated tumour cells do not count)",
        licence="; ".join(f"{table.name}: {table.licence}" for table in tables),
        outside_training=False,
        forbidden={name: why for table in tables for name, why in table.forbidden.items()},
        site=np.concatenate([np.full(len(table.labels), table.name) for table in tables]),
    )


def _column(table: Table, fact: Fact, medians: dict[str, float]) -> Floats:
    names = [one.name for one in table.facts]
    if fact.name == "size_pathology_mm" and fact.name not in names:
        bands = next(one for one in table.facts if one.name == "pathological_t").values
        lengths = np.array([medians.get(band, np.nan) for band in bands])
        return _by_index(_named(table, "pathological_t"), lengths)
    if fact.name not in names:
        return np.full(len(table.labels), np.nan)
    found = _named(table, fact.name)
    if not fact.is_category:
        return found
    theirs = table.facts[names.index(fact.name)].values
    return _by_index(found, np.array([fact.values.index(v) if v in fact.values else np.nan for v in theirs]))


def _named(table: Table, name: str) -> Floats:
    return table.values[:, [fact.name for fact in table.facts].index(name)]


def _by_index(column: Floats, become: Floats) -> Floats:
    """Look each index up (N,); NaN stays."""
    return np.where(np.isnan(column), np.nan, become[np.nan_to_num(column).astype(int)])
