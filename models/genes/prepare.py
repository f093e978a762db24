"""Facts and genes of a table to what systems read; whatever is learnt for it is learnt from the rows of `fit`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.tables.table import Bools, Fact, Floats, Table
from models.tabular.encode import Encoder, NumberCode

GENE: Final = "gene"
"""Group of the facts that are genes."""


def widen(table: Table) -> Table:
    """Return the table with its genes behind its other facts, so that one matrix holds what a system reads.

    Raises
    ------
    ValueError
        If the table has no expression.
    """
    if table.expression is None:
        raise ValueError(f"{table.name} has no expression")
    genes = tuple(Fact(name, "as published", group=GENE) for name in table.genes)
    return replace(table, facts=table.facts + genes, values=np.hstack((table.values, table.expression)))


class Columns:
    """Which columns of a widened table are facts, and which are genes."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        gene = np.array([fact.group == GENE for fact in facts], bool)
        self.is_fact, self.is_gene = np.flatnonzero(~gene), np.flatnonzero(gene)
        self.facts = tuple(fact for fact in facts if fact.group != GENE)
        self.genes = tuple(fact.name for fact in facts if fact.group == GENE)


class Expression:
    """Genes that vary, standardised by the patients of `fit`; what is not known stays NaN.

    Parameters
    ----------
    top : int
        How many genes, those of the largest variance; 0 for all that vary.
    """

    def __init__(self, top: int = 0) -> None:
        self.top = top

    def fit(self, raw: Floats) -> Self:
        """Learn from expression (N, G) which genes are kept, their means and deviations.

        Raises
        ------
        ValueError
            If no gene varies.
        """
        counts = np.maximum((~np.isnan(raw)).sum(0), 1)
        mean = np.nansum(raw, 0) / counts
        variance = np.nansum((raw - mean) ** 2, 0) / counts
        order = np.argsort(-variance, kind="stable")[: self.top or None]
        self.kept: NDArray[np.intp] = np.sort(order[variance[order] > 0])
        if not self.kept.size:
            raise ValueError("no gene varies")
        self.mean, self.deviation = mean[self.kept], np.sqrt(variance[self.kept])
        return self

    def transform(self, raw: Floats) -> Floats:
        """Return (N, K) of the genes that are kept."""
        return np.asarray((raw[:, self.kept] - self.mean) / self.deviation)


class Flat:
    """Encoded facts and, if asked, expression with 0 (the mean) where not known; each column standardised once."""

    def __init__(self, facts: Sequence[Fact], *, genes: bool, top: int = 0) -> None:
        self.columns, self.genes = Columns(facts), genes
        self.encoder, self.expression = Encoder(self.columns.facts), Expression(top)

    def fit(self, values: Floats) -> Self:
        """Learn both."""
        self.encoder.fit(values[:, self.columns.is_fact])
        encoded = self.encoder.transform(values[:, self.columns.is_fact])
        self.mean, self.deviation = encoded.mean(0), encoded.std(0)
        if self.genes:
            self.expression.fit(values[:, self.columns.is_gene])
        return self

    def facts(self, values: Floats) -> Floats:
        """Return (N, K) of facts; the encoder leaves out columns that don't vary."""
        return np.asarray((self.encoder.transform(values[:, self.columns.is_fact]) - self.mean) / self.deviation)

    def expressed(self, values: Floats) -> Floats:
        """Return (N, G) of expression."""
        return np.nan_to_num(self.expression.transform(values[:, self.columns.is_gene]))

    def transform(self, values: Floats) -> Floats:
        """Return facts and what was asked for beside them."""
        facts = self.facts(values)
        return np.hstack((facts, self.expressed(values))) if self.genes else facts


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a Transformer reads: expression (N, G), which of it is known, facts as numbers and slots (N, F)."""

    values: Tensor
    known: Tensor
    numbers: Tensor
    slots: Tensor

    def rows(self, chosen: Tensor) -> "Inputs":
        """Return some of the patients."""
        return Inputs(*(part[chosen] for part in self.tensors()))

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return them in the order in which the network takes them."""
        return self.values, self.known, self.numbers, self.slots


class Tokenised:
    """Facts as numbers and slots, and expression as values with a mask of what is known."""

    def __init__(self, facts: Sequence[Fact], top: int = 0) -> None:
        self.columns, self.expression = Columns(facts), Expression(top)
        self.slots = tuple((len(fact.values) or 1) + 1 for fact in self.columns.facts)
        self.is_number: Bools = np.array([not fact.is_category for fact in self.columns.facts], bool)

    def fit(self, values: Floats) -> Self:
        """Learn from the training patients."""
        self.expression.fit(values[:, self.columns.is_gene])
        facts = zip(self.columns.facts, values[:, self.columns.is_fact].T, strict=True)
        self.codes = [None if fact.is_category else NumberCode(fact, column, 0) for fact, column in facts]
        return self

    def transform(self, values: Floats) -> Inputs:
        """Return what a network reads of some patients."""
        genes = self.expression.transform(values[:, self.columns.is_gene])
        facts = values[:, self.columns.is_fact]
        missing, known = np.isnan(facts), ~np.isnan(genes)
        numbers = np.zeros_like(facts)
        for i, code in enumerate(self.codes):
            if code is not None:
                numbers[:, i] = np.where(missing[:, i], 0.0, code.columns(facts[:, i])[:, 0])
        value = np.where(missing | self.is_number, 0.0, facts).astype(np.int64)
        slots = np.where(missing, np.array(self.slots, np.int64) - 1, value)
        return Inputs(
            torch.from_numpy(np.where(known, genes, 0.0)).float(),
            torch.from_numpy(known),
            torch.from_numpy(numbers).float(),
            torch.from_numpy(slots),
        )
