"""What `sentinode doctor spool` says."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from agent.operate.spool_doctor import OwedLine, SpoolExamination, spool_parts

MIB = 1 << 20
SEEN = SpoolExamination(
    free_bytes=9000 * MIB,
    watermark_bytes=5000 * MIB,
    configured_bytes=20_480 * MIB,
    limit_bytes=6048 * MIB,
    used_bytes=2048 * MIB,
    reusable_bytes=512 * MIB,
    max_object_bytes=4096 * MIB,
    segments=32,
    segments_open=3,
    segments_reusable=8,
    segments_of_copies=1,
    quarantined=17,
    quarantined_bytes=700 * MIB,
    quarantine_limit_bytes=2048 * MIB,
    owed=2,
    oldest_unindexed=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
)


def _shown(seen: SpoolExamination) -> str:
    page = StringIO()
    Console(file=page, width=140).print(*spool_parts(seen))
    return page.getvalue()


def test_the_page_shows_disk_limits_and_segments() -> None:
    """Bytes in MiB, numbers as they are, and since when something is unread."""
    page = _shown(SEEN)
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in page.splitlines() if "│" in line]
    assert rows == [
        ["free on the disk", "9,000"],
        ["of these not the spool's", "5,000"],
        ["limit as configured", "20,480"],
        ["limit as the disk allows", "6,048"],
        ["used by segments", "2,048"],
        ["of these reusable", "512"],
        ["room", "4,512"],
        ["largest object", "4,096"],
        ["quarantine", "700"],
        ["limit of the quarantine", "2,048"],
        ["all", "32"],
        ["of these open", "3"],
        ["of these reusable", "8"],
        ["of these of copies", "1"],
        ["objects in quarantine", "17"],
        ["objects not copied there yet", "2"],
    ]
    assert "not read yet: what came since 2026-11-20 09:00:00" in page
    assert "objects are taken" in page


def test_what_is_owed_is_listed_with_its_id() -> None:
    """And whether it was ever read."""
    since = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    lines = (OwedLine("12.1.8192", since, True, "not read"), OwedLine("12.1.9000", since, False, "truncated"))
    page = _shown(replace(SEEN, owed_lines=lines))
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in page.splitlines() if "12.1." in line]
    assert rows == [
        ["12.1.8192", "2026-11-20 09:00:00", "not read", "not read"],
        ["12.1.9000", "2026-11-20 09:00:00", "judged", "truncated"],
    ]


def test_an_end_is_told() -> None:
    """Where everything is read."""
    assert "everything is read" in _shown(replace(SEEN, oldest_unindexed=None))


def test_why_objects_are_refused_is_told() -> None:
    """The disk, or the limit; what is released or open is room."""
    low = replace(SEEN, free_bytes=4000 * MIB)
    assert "refused: the disk has less than storage.refuse_below_free_bytes" in _shown(low)
    assert not replace(SEEN, free_bytes=4600 * MIB).refuses
    full = replace(SEEN, limit_bytes=2048 * MIB, reusable_bytes=0)
    assert not full.refuses
    assert "refused: storage.spool_bytes is used up" in _shown(replace(full, segments_open=0))


def test_room_is_never_less_than_none() -> None:
    """Where the disk allows less than is used already."""
    tight = replace(SEEN, limit_bytes=1000 * MIB)
    assert tight.room_bytes == 0
    assert "-" not in next(line for line in _shown(tight).splitlines() if "room" in line)


def test_without_a_database_the_disk_is_told_all_the_same() -> None:
    """What is read is not known, and why."""
    page = _shown(replace(SEEN, owed=None, oldest_unindexed=None, unasked="the database cannot be opened"))
    assert re.search(r"not copied there yet +│ not known", page)
    assert "not known what is read: the database cannot be opened" in page
    assert "free on the disk" in page and "objects are taken" in page
    assert "everything is read" not in page
