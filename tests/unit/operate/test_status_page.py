"""Views as JSON: what a program reads is what a person sees."""

from collections import Counter
from dataclasses import replace
from io import StringIO

from rich.console import Console
from rich.table import Table

from agent.operate.status import AWAITED, cases_table, overview_tables, to_json
from agent.state.overview import Overview
from agent.state.stories import CaseLine
from tests.state_stores import T0

NOTHING = Overview({}, {}, {}, {}, None, 0)
LINE = CaseLine(1, "u", 1, "aln", "EXAMPLE", "4711", "delivering", T0, T0, None, "", 4, {})


def shown(*tables: Table) -> str:
    """Return what a wide terminal shows."""
    console = Console(file=StringIO(), width=300)
    console.print(*tables)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_count_of_any_kind_is_written_as_it_is() -> None:
    """A Counter within a view is a mapping, not pairs to be counted once more."""
    seen = Overview({}, Counter({"collected": 7}), {}, {}, None, 0)
    assert to_json(seen)["arrivals"] == {"collected": 7}


def test_results_that_wait_for_a_radiologist_are_counted_where_there_are_any() -> None:
    """With since when; a site that does not wait sees nothing of it."""
    assert AWAITED not in shown(*overview_tables(NOTHING))
    seen = shown(*overview_tables(replace(NOTHING, awaiting_report=3, oldest_awaiting_report=T0)))
    assert AWAITED in seen
    assert "3" in seen
    assert "2026-11-21 09:00:00" in seen


def test_a_case_says_that_it_waits_for_a_radiologist() -> None:
    """Since when, before its answer."""
    assert AWAITED not in shown(cases_table([LINE]))
    assert f"waits for {AWAITED} since 2026-11-21 09:00:00" in shown(
        cases_table([replace(LINE, awaits_report_since=T0)])
    )
