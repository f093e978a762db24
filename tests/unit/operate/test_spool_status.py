"""How full the spool is, as `sentinode status` shows it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from agent.operate.spool_status import SpoolStatus, spool_table
from agent.operate.status import to_json

SEEN = SpoolStatus(2048 << 20, 1536 << 20, 512 << 20, 64 << 20, datetime(2026, 11, 20, 9, 0, tzinfo=UTC))


def _shown(seen: SpoolStatus) -> str:
    page = StringIO()
    Console(file=page, width=100).print(spool_table(seen))
    return page.getvalue()


def test_the_page_shows_bytes_and_the_oldest_case() -> None:
    """In MiB; the room is what is not made yet and what may be used anew."""
    page = _shown(SEEN)
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in page.splitlines() if "│" in line]
    assert rows == [
        ["limit", "2,048"],
        ["used by segments", "1,536"],
        ["of these reusable", "512"],
        ["of these copies for old cases", "64"],
        ["room", "1,024"],
        ["oldest unfinished case opened", "2026-11-20 09:00:00"],
    ]


def test_nothing_is_said_of_cases_where_all_are_finished() -> None:
    """The row is left away."""
    assert "oldest" not in _shown(SpoolStatus(1, 0, 0, 0, None))


def test_what_is_owed_to_the_quarantine_is_told() -> None:
    """Where something is."""
    assert "not copied into quarantine yet" not in _shown(SEEN)
    page = _shown(replace(SEEN, owed=3))
    assert re.search(r"not copied into quarantine yet +│ 3", page)


def test_room_is_never_less_than_none() -> None:
    """Where the disk allows less than is used already."""
    assert SpoolStatus(1000, 1500, 4, 0, None).room_bytes == 0


def test_programs_get_bytes() -> None:
    """As the metric."""
    assert to_json(SEEN)["used_bytes"] == 1536 << 20
