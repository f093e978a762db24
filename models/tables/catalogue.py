"""Every table by its name."""

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.tables.duke import DUKE
from models.tables.metabric import METABRIC
from models.tables.source import read_csv, to_table
from models.tables.survset import GBSG2, GSE4335, ROTTERDAM, WPBC
from models.tables.table import Table
from models.tables.tcga_brca import TCGA_BRCA

DATA: Final = Path("../shared/data")
SOURCES: Final = MappingProxyType(
    {source.name: source for source in (METABRIC, TCGA_BRCA, ROTTERDAM, GBSG2, WPBC, GSE4335, DUKE)}
)
"""By name, in the order of reports."""


@cache
def load(name: str, data: Path = DATA, label: str | None = None) -> Table:
    """Read one table, once in a process: thousands of genes take seconds.

    Parameters
    ----------
    name : str
        Of SOURCES.
    data : Path
        The folder that holds the tables' folders.
    label : str, optional
        Which of the table's labels; its first where not given.

    Raises
    ------
    KeyError
        If there is no table of this name.
    FileNotFoundError
        If its file is not below `data`.
    ValueError
        If the file lacks a column or the table the label.
    """
    source = SOURCES[name]
    return to_table(source, read_csv(data / source.path), label)
