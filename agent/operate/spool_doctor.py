"""What the spool has room for, and how far it is read, for people and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from agent.operate.spool_tables import mebibytes, number_table, room_bytes

MOST_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class OwedLine:
    """A record that was passed over: by which id `sentinode give-up` ends it, since when, why."""

    id: str
    since: datetime
    is_unread: bool  # the disk did not give it back; else it was judged, and the copy could not be made
    reason: str


@dataclass(frozen=True, slots=True)
class SpoolExamination:
    """Everything that `sentinode doctor spool` says. Bytes, and numbers of segments."""

    free_bytes: int  # of the file system
    watermark_bytes: int  # so much of them must stay free
    configured_bytes: int  # storage.spool_bytes
    limit_bytes: int  # the same, or what the disk has above the watermark, if that is less
    used_bytes: int  # by segments, copies' and released ones too
    reusable_bytes: int  # of these, released
    max_object_bytes: int
    segments: int
    segments_open: int  # records may still come to these
    segments_reusable: int
    segments_of_copies: int
    quarantined: int  # objects
    quarantined_bytes: int
    quarantine_limit_bytes: int
    owed: int | None  # objects that are to be copied there; None: not known
    oldest_unindexed: datetime | None  # when the oldest record came that no row knows yet
    owed_lines: tuple[OwedLine, ...] = ()  # the oldest of these
    unasked: str = ""  # why the database could not say how far the spool is read; empty: it did

    @property
    def room_bytes(self) -> int:
        """What may still be received before anything more has to go."""
        return room_bytes(self.limit_bytes, self.used_bytes, self.reusable_bytes)

    @property
    def refuses(self) -> str:
        """Why objects are refused now; empty where they are taken."""
        if self.free_bytes + self.reusable_bytes < self.watermark_bytes:
            return "the disk has less than storage.refuse_below_free_bytes: make room on it"
        if self.room_bytes <= 0 and not self.segments_open:
            return "storage.spool_bytes is used up, and nothing may go: end held and failed cases, or give it more"
        return ""


def spool_parts(seen: SpoolExamination) -> Iterator[Table | Text]:
    """Bytes in MiB, numbers of segments, and whether objects are taken."""
    yield _bytes(seen)
    yield _segments(seen)
    if seen.owed_lines:
        yield _owed(seen.owed_lines)
    yield Text(_unread(seen))
    yield Text(f"objects are refused: {seen.refuses}" if seen.refuses else "objects are taken")


def _owed(lines: Sequence[OwedLine]) -> Table:
    table = Table(title=f"not copied yet, the oldest {MOST_LISTED} of them", title_justify="left")
    for heading in ("id", "since", "", "reason"):
        table.add_column(heading, overflow="fold")
    for one in lines:
        table.add_row(one.id, f"{one.since:%Y-%m-%d %H:%M:%S}", "not read" if one.is_unread else "judged", one.reason)
    return table


def _unread(seen: SpoolExamination) -> str:
    if seen.unasked:
        return f"not known what is read: {seen.unasked}"
    since = seen.oldest_unindexed
    return f"not read yet: what came since {since:%Y-%m-%d %H:%M:%S}" if since else "everything is read"


def _bytes(seen: SpoolExamination) -> Table:
    rows = (
        ("free on the disk", seen.free_bytes),
        ("of these not the spool's", seen.watermark_bytes),
        ("limit as configured", seen.configured_bytes),
        ("limit as the disk allows", seen.limit_bytes),
        ("used by segments", seen.used_bytes),
        ("of these reusable", seen.reusable_bytes),
        ("room", seen.room_bytes),
        ("largest object", seen.max_object_bytes),
        ("quarantine", seen.quarantined_bytes),
        ("limit of the quarantine", seen.quarantine_limit_bytes),
    )
    return number_table("spool", "MiB", mebibytes(rows))


def _segments(seen: SpoolExamination) -> Table:
    rows = (
        ("all", f"{seen.segments:,}"),
        ("of these open", f"{seen.segments_open:,}"),
        ("of these reusable", f"{seen.segments_reusable:,}"),
        ("of these of copies", f"{seen.segments_of_copies:,}"),
        ("objects in quarantine", f"{seen.quarantined:,}"),
        ("objects not copied there yet", "not known" if seen.owed is None else f"{seen.owed:,}"),
    )
    return number_table("segments and objects", "number", rows)
