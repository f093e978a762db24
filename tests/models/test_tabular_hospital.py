"""What a hospital knows in place of what training knew."""

import numpy as np

from models.tables.table import Fact, Table
from models.tabular.hospital import as_imaged, basal_triple_negative, by_receptors

_SIGN = ("negative", "positive")
FACTS = (
    Fact("size_pathology_mm", "mm", 1, 200),
    Fact("subtype", values=("luminal_a", "luminal_b", "her2", "triple_negative")),
    *(Fact(name, values=_SIGN) for name in ("er", "pr", "her2")),
)
NAN = np.nan
TABLE = Table(
    "t", tuple("abcdef"), FACTS,
    np.array([
        [20, 3, 0, 0, 0],  # basal, triple negative
        [20, 3, 1, 1, 0],  # basal, receptors positive: luminal, A or B by Ki-67 that is not known
        [20, 3, 0, 0, 1],  # basal, HER2 alone
        [20, 0, 1, 0, 0],  # luminal A by expression, B by PR
        [20, 1, NAN, 1, 0],  # ER is not known
        [NAN, 0, 0, 1, 0],  # ER negative, PR positive: no subtype
    ], float),
    np.array([True, False] * 3), "any", "CC0", False, {},
)  # fmt: skip


def test_receptors_give_the_subtype_that_the_agent_derives() -> None:
    """Where all three are known; elsewhere it stays."""
    found = by_receptors(TABLE, 1)
    np.testing.assert_array_equal(found[:, 1], [3, NAN, 2, 1, 1, NAN])
    np.testing.assert_array_equal(np.delete(found, 1, 1), np.delete(TABLE.values, 1, 1))


def test_basal_is_not_always_triple_negative() -> None:
    """One of the three here."""
    assert basal_triple_negative(TABLE) == (1, 3)


def test_a_size_on_imaging_is_off_and_stays_missing_where_it_is() -> None:
    """The same by the same seed, other facts untouched."""
    found = as_imaged(TABLE, 1, 0.2)
    assert (found[:5, 0] != 20).all() and np.isnan(found[5, 0])
    np.testing.assert_array_equal(found, as_imaged(TABLE, 1, 0.2))
    np.testing.assert_array_equal(found[:, 1:], TABLE.values[:, 1:])
