"""Gene sets from GMT files, and which genes of a table they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.tables.table import Bools


class BadGmt(ValueError):
    """A GMT file has lines that are no gene sets; the message names each of them."""


@dataclass(frozen=True, slots=True)
class GeneSet:
    """One set: its name, what the file says of it, its genes in upper case, each once."""

    name: str
    description: str
    genes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pathways:
    """Gene sets as a table knows them.

    Attributes
    ----------
    names : tuple of str
        Of the sets that are kept (P).
    members : array (P, G)
        Which genes of the table each holds.
    absent : Mapping
        By set that lost genes, those that the table lacks.
    dropped : Mapping
        By set with too few genes in the table, how many it has there.
    """

    names: tuple[str, ...]
    members: Bools
    absent: Mapping[str, tuple[str, ...]]
    dropped: Mapping[str, int]

    def __str__(self) -> str:
        lost = {gene for genes in self.absent.values() for gene in genes}
        said = f"{len(self.names)} gene sets over {int(self.members.any(0).sum())} of {self.members.shape[1]} genes"
        said += f"; {len(lost)} genes of theirs are not in the table" if lost else ""
        few = ", ".join(f"{name} ({count})" for name, count in self.dropped.items())
        return said + (f"; dropped for too few genes: {few}" if few else "")


def read_gmt(path: Path) -> tuple[GeneSet, ...]:
    """Read a GMT file: a set a line, its name, a description, and genes, separated by tabs (Broad Institute, GSEA).

    Raises
    ------
    FileNotFoundError
        If it is not there.
    BadGmt
        If a line lacks a name or genes, repeats a name or has an empty gene, or if there is no set at all. All such
        lines are named.
    """
    sets: dict[str, GeneSet] = {}
    errors: list[str] = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        name, description, genes = _cells(line)
        wrong = _wrong(name, genes, sets)
        errors += [f"line {number}: {one}" for one in wrong]
        sets.setdefault(name, GeneSet(name, description, tuple(dict.fromkeys(gene.upper() for gene in genes))))
    if not sets and not errors:
        errors.append("no gene set")
    if errors:
        raise BadGmt(f"{path.name}: " + "; ".join(errors))
    return tuple(sets.values())


def match(sets: Sequence[GeneSet], genes: Sequence[str], least: int = 5) -> Pathways:
    """Find sets in a table whose genes are `genes`; letter case does not matter.

    Raises
    ------
    ValueError
        If no set has `least` genes there.
    """
    column = {gene.upper(): i for i, gene in enumerate(genes)}
    found = {one.name: [column[gene] for gene in one.genes if gene in column] for one in sets}
    kept = [one.name for one in sets if len(found[one.name]) >= least]
    if not kept:
        raise ValueError(f"none of {len(sets)} gene sets has {least} genes in the table")
    members = np.zeros((len(kept), len(genes)), bool)
    for row, name in enumerate(kept):
        members[row, found[name]] = True
    absent = {one.name: tuple(gene for gene in one.genes if gene not in column) for one in sets}
    return Pathways(
        tuple(kept),
        members,
        {name: lost for name, lost in absent.items() if lost},
        {one.name: len(found[one.name]) for one in sets if one.name not in kept},
    )


def _cells(line: str) -> tuple[str, str, list[str]]:
    name, _, rest = line.partition("\t")
    description, _, genes = rest.partition("\t")
    return (
        name.strip(),
        description.strip(),
        [gene.strip() for gene in genes.rstrip("\t ").split("\t")] if genes.strip() else [],
    )


def _wrong(name: str, genes: Sequence[str], sets: Mapping[str, GeneSet]) -> list[str]:
    said = {
        "no name": not name,
        f"{name} comes a second time": bool(name) and name in sets,
        "no genes": not genes,
        "an empty gene": any(not gene for gene in genes),
    }
    return [text for text, holds in said.items() if holds]
