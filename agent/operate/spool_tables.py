"""What the pages about the spool have in common."""

from collections.abc import Iterable

from rich.table import Table


def room_bytes(limit_bytes: int, used_bytes: int, reusable_bytes: int) -> int:
    """Return what may still be received before anything more has to go: what segments do not take, and used ones."""
    return max(limit_bytes - used_bytes + reusable_bytes, 0)


def number_table(title: str, unit: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Return a table of names, each with its number."""
    table = Table(title=title, title_justify="left")
    for heading in ("", unit):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def mebibytes(rows: Iterable[tuple[str, int]]) -> Iterable[tuple[str, str]]:
    """Return bytes as MiB, in words."""
    return ((name, f"{number / 2**20:,.0f}") for name, number in rows)
