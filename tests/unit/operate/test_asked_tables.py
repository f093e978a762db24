"""What the PACS was asked stands in a case's story."""

from dataclasses import replace
from datetime import UTC, datetime

from agent.operate.status import story_tables
from agent.state.stories import CaseLine, Story

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LINE = CaseLine(1, "2.25.1", 1, "aln", "PHANTOM", "P-1", "collecting", AT, None, None, "", 4, {})
COUNT = {
    "study_instance_uid": "1.5",
    "listed": {"MG": 4},
    "counted_at": AT,
    "equal_polls": 2,
    "next_at": AT,
    "error": "",
}
REQUEST = {
    "study_instance_uid": "1.6",
    "series_instance_uid": "1.6.1",
    "why": "MR is missing",
    "status": "waiting",
    "attempts": 1,
    "next_at": AT,
    "error": "away",
}


def titles(story: Story) -> list[str]:
    """Return the headings of the tables."""
    return [str(table.title) for table in story_tables(story) if table.title]


def test_counts_and_requests_are_listed() -> None:
    """A table for each, with a row for each."""
    story = Story(LINE, {}, [], [], [], counts=[COUNT], retrievals=[REQUEST])
    assert titles(story)[-2:] == ["counts by the PACS", "retrievals from the PACS"]
    assert [table.row_count for table in story_tables(story)[-2:]] == [1, 1]


def test_where_none_was_asked_nothing_is_said() -> None:
    """No empty tables."""
    assert not any("PACS" in title for title in titles(Story(LINE, {}, [], [], [])))


def test_kinds_that_were_not_made_are_listed() -> None:
    """With the reason; where all were made, or nobody noted it, nothing is said."""
    line = replace(LINE, summary={"not_made": {"segmentation": "breaks a rule"}})
    table = next(t for t in story_tables(Story(line, {}, [], [], [])) if t.title == "not made of this answer")
    assert [list(column.cells) for column in table.columns] == [["segmentation"], ["breaks a rule"]]
    assert not any("not made" in title for title in titles(Story(LINE, {}, [], [], [])))
