"""The measurement of what genes cost: growth as it is fitted and drawn."""

from pathlib import Path

import pytest

from bench.genes import GENES, SYSTEMS, Cost, exponents, held, megabytes, plot


def costs(system: str, power: float, overhead: float = 0.0) -> list[Cost]:
    """Costs that grow by a power of genes, beside what does not grow."""
    return [Cost(system, genes, *[overhead + 1e-3 * genes**power] * 5) for genes in GENES]


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_growth_is_the_power_of_genes(power: float) -> None:
    """The square would be seen."""
    assert set(exponents(costs("guided", power)).values()) == {power}


def test_what_does_not_grow_hides_little_where_there_are_many_genes() -> None:
    """Which is why these are judged apart."""
    found = exponents(costs("guided", 1.0, overhead=0.5))
    assert found["train_mb"] < found["train_mb_many"] < 1


def test_the_picture_is_small(tmp_path: Path) -> None:
    """A PNG of a few colours."""
    plot([cost for system in SYSTEMS for cost in costs(system, 1.0)], tmp_path / "genes.png")
    assert 1000 < (tmp_path / "genes.png").stat().st_size < 60_000


def test_memory_that_was_held_and_freed_is_seen() -> None:
    """64 MB that a step takes and gives back, though nothing of it is left."""

    def step() -> None:
        assert len(bytearray(b"\1" * 2**26)) == 2**26

    assert megabytes(step) > 60
    assert held("VmRSS") > 0
