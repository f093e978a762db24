"""How full the spool is, for people and for programs."""

from dataclasses import dataclass
from datetime import datetime

from rich.table import Table


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """Bytes of the spool. `pinned_since`: when the oldest case was opened whose images must stay.

    The limit is the configured one, or what the disk has above the watermark, if that is less.
    """

    limit_bytes: int
    used_bytes: int  # by segments, copies' and released ones too
    reusable_bytes: int  # of these, released
    copied_bytes: int  # of these, in segments for copies of what old cases need
    pinned_since: datetime | None

    @property
    def room_bytes(self) -> int:
        """What may still be received before anything more has to go."""
        return max(self.limit_bytes - self.used_bytes + self.reusable_bytes, 0)


def spool_table(seen: SpoolStatus) -> Table:
    """Bytes in MiB, and since when the oldest case has kept its images."""
    table = Table(title="spool", title_justify="left")
    for heading in ("", "MiB"):
        table.add_column(heading, overflow="fold")
    for name, number in (
        ("limit", seen.limit_bytes),
        ("used by segments", seen.used_bytes),
        ("of these reusable", seen.reusable_bytes),
        ("of these copies for old cases", seen.copied_bytes),
        ("room", seen.room_bytes),
    ):
        table.add_row(name, f"{number / 2**20:,.0f}")
    if since := seen.pinned_since:
        table.add_row("oldest unfinished case opened", f"{since:%Y-%m-%d %H:%M:%S}")
    return table
