"""What a hospital knows in place of what training knew: the size on imaging, the subtype from receptors."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from models.tables.table import Floats, Table


def as_imaged(table: Table, seed: int, sd: float) -> Floats:
    """Return values with the size as imaging might have measured it: its logarithm with a normal error."""
    changed = table.values.copy()
    changed[:, _index(table, "size_pathology_mm")] *= np.exp(np.random.default_rng(seed).normal(0, sd, len(changed)))
    return changed


def by_receptors(table: Table, seed: int) -> Floats:
    """Return values with the subtype that the agent derives where receptors are known and Ki-67 is not.

    Luminal A needs Ki-67, so that it is never among them (`agent.core.derived.subtype`). Where a receptor is missing
    the subtype stays as it is.
    """
    er, pr, her2 = (table.values[:, _index(table, name)] for name in ("er", "pr", "her2"))
    values = table.facts[_index(table, "subtype")].values
    neither = (er == 0) & (pr == 0)
    luminal_b = (er == 1) & ((her2 == 1) | (pr == 0))
    said = np.select(
        [neither & (her2 == 0), neither & (her2 == 1), luminal_b],
        [values.index(name) for name in ("triple_negative", "her2", "luminal_b")],
        np.nan,
    )
    changed = table.values.copy()
    known = ~np.isnan(er + pr + her2)
    changed[known, _index(table, "subtype")] = said[known]
    return changed


def basal_triple_negative(table: Table) -> tuple[int, int]:
    """Return how many tumours that are basal by PAM50 lack all three receptors, and of how many that is known."""
    basal = table.facts[_index(table, "subtype")].values.index("triple_negative")
    receptors = table.values[:, [_index(table, name) for name in ("er", "pr", "her2")]].sum(1)
    known = (table.values[:, _index(table, "subtype")] == basal) & ~np.isnan(receptors)
    return int((receptors[known] == 0).sum()), int(known.sum())


def _index(table: Table, name: str) -> int:
    return [fact.name for fact in table.facts].index(name)


CHANGES: Final[Mapping[str, Callable[[Table, int], Floats]]] = MappingProxyType(
    {f"size with an error of {sd:.0%}": partial(as_imaged, sd=sd) for sd in (0.1, 0.2, 0.3)}
    | {"subtype from receptors": by_receptors}
)
"""By what is known otherwise, the values of a table (N, F) then; errors are deviations of the size's logarithm."""
