"""Tables for a terminal and JSON for programs, from what the state says."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from rich.table import Table

from agent.report.figures import written
from agent.state.overview import Overview
from agent.state.stories import CaseLine, Story

AWAITED: Final = "the radiologist's report of the index study"

_CASE: Final = ("case", "version", "question", "patient", "state")


def overview_tables(seen: Overview) -> list[Table]:
    """Cases by state, received objects by end and reason, the outbox by destination."""
    return [
        _counts("cases" + _since(seen.oldest_held, "oldest held since"), "state", seen.cases),
        _counts(f"received objects ({seen.open_associations} associations open)", "end", seen.arrivals),
        _counts("why objects are not used", "reason", seen.reasons),
        _counts("outbox" + _since(seen.oldest_waiting, "oldest waiting since"), "destination: status", seen.outbox),
        *_awaiting(seen),
    ]


def _awaiting(seen: Overview) -> list[Table]:
    """How many results wait for a radiologist, and since when; nothing where none does."""
    if not seen.awaiting_report:
        return []
    table = _table("", "results wait for", "cases", "the longest since")
    table.add_row(AWAITED, str(seen.awaiting_report), _cell(seen.oldest_awaiting_report))
    return [table]


def cases_table(lines: Sequence[CaseLine]) -> Table:
    """One row a version; where all of them are held, with since when."""
    held = bool(lines) and all(line.held_since for line in lines)
    table = _table("", *_CASE, "held since" if held else "opened", "images", "answer or reason")
    for line in lines:
        patient = f"{line.patient_id} ({line.issuer})"
        numbers = (str(line.id), str(line.version), line.question, patient, line.state)
        since = line.held_since if held else line.opened_at
        table.add_row(*numbers, _cell(since), str(line.instances), _awaits(line) + answer_words(line))
    return table


def _awaits(line: CaseLine) -> str:
    since = line.awaits_report_since
    return f"waits for {AWAITED} since {_moment(since)}; " if since else ""


def answer_words(line: CaseLine) -> str:
    """Say the answer of each axilla, else why there is none."""
    said = []
    for answer in line.summary.get("answers", ()):
        side = f"{answer['side']} " if answer.get("side") else ""
        if answer.get("probability") is None:
            said.append(f"{side}no estimate: {answer['reason']}")
        else:
            number, low, high = (written(answer[name]) for name in ("probability", "low", "high"))
            said.append(f"{side}{number} % ({low} to {high} %) {answer['category']}")
    return "; ".join(said) or line.reason


def story_tables(story: Story) -> list[Table]:
    """The case, its events, its instances, its deliveries, and what else arrived of its patient."""
    return [
        cases_table([story.case]),
        *(
            [_rows("held for", ("conflict", "why", "about", "says", "rulings"), story.held_for)]
            if story.held_for
            else []
        ),
        *_findings(story.findings),
        _rows("events", ("at", "event", "from_state", "to_state", "attempt", "reason"), story.events),
        _rows(
            "instances",
            ("sop_instance_uid", "modality", "laterality", "role", "rule", "role_reason", "used", "left_out"),
            story.instances,
        ),
        _rows(
            "other objects of this patient",
            (
                "sop_instance_uid",
                "study_instance_uid",
                "modality",
                "received_at",
                "ending",
                "role",
                "rule",
                "role_reason",
            ),
            story.others,
        ),
        _rows("deliveries", ("role", "destination", "status", "attempts", "stored_at", "error"), story.deliveries),
        *_not_made(story),
        *_awaited(story),
        *_asked(story),
    ]


def _findings(findings: Mapping[str, Any]) -> list[Table]:
    """What the last decision rested on: names of facts, and rules in words; never a value of a fact."""
    if not findings:
        return []
    eligibility = findings.get("eligibility", {})
    said = [
        ("asked", "yes" if eligibility.get("asked") else "no"),
        ("why", eligibility.get("reason")),
        *(
            ("axilla", f"{one['side']}: {one['reason'] or 'can be estimated'}")
            for one in eligibility.get("axillae", ())
        ),
        ("images before", eligibility.get("cutoff")),
        ("facts before", eligibility.get("facts_cutoff")),
        *(("flag", sentence) for sentence in eligibility.get("flags", ())),
        *(("evidence", sentence) for sentence in findings.get("evidence", ())),
        *(("missing", what) for what in findings.get("missing", ())),
        *(("refused fact", f"{one['name']}: {one['reason']}") for one in findings.get("refused", ())),
    ]
    rows = [{"": name, "says": text} for name, text in said if text]
    return [_rows("evidence and eligibility", ("", "says"), rows)]


def _not_made(story: Story) -> list[Table]:
    """Kinds of objects that could not be made of the answer; nothing where all were."""
    missing = [{"kind": kind, "why": why} for kind, why in story.case.summary.get("not_made", {}).items()]
    return [_rows("not made of this answer", ("kind", "why"), missing)] if missing else []


def _awaited(story: Story) -> list[Table]:
    """The study whose report releases the results; nothing where they did not have to wait."""
    columns = ("study_instance_uid", "accession_number", "waiting_since", "released_at", "released_by")
    return [_rows("radiologist's report that releases it", columns, story.awaited)] if story.awaited else []


def _asked(story: Story) -> list[Table]:
    """What the PACS was asked about the case; nothing where it was not."""
    tables = []
    if story.counts:
        counted = ("study_instance_uid", "listed", "counted_at", "equal_polls", "next_at", "error")
        tables.append(_rows("counts by the PACS", counted, story.counts))
    if story.retrievals:
        requested = ("study_instance_uid", "series_instance_uid", "why", "status", "attempts", "next_at", "error")
        tables.append(_rows("retrievals from the PACS", requested, story.retrievals))
    return tables


def to_json(value: Any) -> Any:
    """Turn a view into what `json` writes; times in ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _counts(title: str, name: str, counts: Mapping[str, int]) -> Table:
    table = _table(title, name, "count")
    for key, count in counts.items():
        table.add_row(key, str(count))
    return table


def _rows(title: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(title, *names)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _table(title: str, *headings: str) -> Table:
    """A table that folds long cells: what is cut off cannot be copied."""
    table = Table(title=title or None, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _cell(value: Any) -> str:
    return _moment(value) if isinstance(value, datetime) else "" if value is None else str(value)


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S")


def _since(oldest: datetime | None, words: str) -> str:
    return f" ({words} {_moment(oldest)})" if oldest else ""
