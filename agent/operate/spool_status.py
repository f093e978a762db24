"""How full the spool is, for people and for programs."""

from dataclasses import dataclass
from datetime import datetime

from rich.table import Table

from agent.operate.spool_tables import mebibytes, number_table, room_bytes


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
    owed: int = 0  # objects that are to be copied into quarantine, which could not be done so far

    @property
    def room_bytes(self) -> int:
        """What may still be received before anything more has to go."""
        return room_bytes(self.limit_bytes, self.used_bytes, self.reusable_bytes)


def spool_table(seen: SpoolStatus) -> Table:
    """Bytes in MiB, what is owed to the quarantine, and since when the oldest case has kept its images."""
    rows = [
        *mebibytes(
            (
                ("limit", seen.limit_bytes),
                ("used by segments", seen.used_bytes),
                ("of these reusable", seen.reusable_bytes),
                ("of these copies for old cases", seen.copied_bytes),
                ("room", seen.room_bytes),
            )
        )
    ]
    if seen.owed:
        rows.append(("objects not copied into quarantine yet", f"{seen.owed:,}"))
    if since := seen.pinned_since:
        rows.append(("oldest unfinished case opened", f"{since:%Y-%m-%d %H:%M:%S}"))
    return number_table("spool", "MiB", rows)
