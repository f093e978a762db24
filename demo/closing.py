"""The demo's end: a table for people, one JSON line for programs."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from demo import words
from demo.checks import Check
from demo.outcome import Outcome, Version

HEADINGS: Final = (
    "patient",
    "story",
    "axilla",
    "used",
    "probability (95 % CI)",
    "category",
    "waited",
    "complete to PACS",
)

TITLE: Final = "waited: last image → complete; complete to PACS: complete → first report in the PACS"


@dataclass(frozen=True)
class Told:
    """What became of a patient, and what was checked of it."""

    outcome: Outcome
    checks: Sequence[Check]

    @property
    def problems(self) -> list[str]:
        """What does not hold."""
        return [f"{one.what}: {one.problem}" for one in self.checks if one.problem]


def table(told: Sequence[Told]) -> Table:
    """One row an axilla and version, or one that says why there is none."""
    made = Table(*HEADINGS, title=TITLE, title_justify="left")
    for one in told:
        for number, row in enumerate(rows(one)):
            patient = one.outcome.patient
            who = (patient.who.patient_id, patient.story.title) if number == 0 else ("", "")
            made.add_row(*who, *row, style="red" if one.problems else "")
    return made


def rows(told: Told) -> list[tuple[str, ...]]:
    """What the table says of a patient: axilla, used, answer, category, seconds of waiting and to the PACS."""
    found = [row for version in told.outcome.versions for row in _of_version(told.outcome, version)]
    return found or [("-", "-", words.no_answer(told.outcome), "-", "-", "-")]


def _of_version(outcome: Outcome, version: Version) -> Iterator[tuple[str, ...]]:
    for said in words.holds(version):
        yield "-", "-", said, "HELD", "-", "-"
    used = words.inputs(version.summary.get("modalities_used", ()))
    took = words.seconds(version.waited_s), words.seconds(version.door_to_pacs_s)
    mark = f", version {version.case['version']}" if len(outcome.versions) > 1 else ""
    mark += " (superseded)" if outcome.superseded(version) else ""
    for answer in version.answers:
        side = words.SIDES.get(str(answer.get("side")), "-") + mark
        if answer.get("probability") is None:
            yield side, "-", words.no_estimate(answer), "-", *took
        else:
            said = f"{words.share(answer['probability'])} ({words.interval(answer)})"
            yield side, used, said, answer["category"], *took
    if not version.answers:
        yield "-", "-", words.state(version), "-", *took


def closing(told: Sequence[Told]) -> str:
    """Return the JSON line: counts, and the seconds from a case's completeness to its report in the PACS."""
    outcomes = [one.outcome for one in told]
    versions = [version for outcome in outcomes for version in (*outcome.versions, *outcome.apart)]
    found = sum((outcome.found for outcome in outcomes), Counter[str]())
    ends = Counter(end for outcome in outcomes for end, _ in outcome.ends.values())
    doors = [s for version in versions if (s := version.door_to_pacs_s) is not None]
    return json.dumps(
        {
            "patients": len(outcomes),
            "cases": len({version.case["case_uuid"] for version in versions}),
            "versions": len(versions),
            "sr": found["sr"],
            "text_sr": found["text_sr"],
            "secondary_capture": found["secondary_capture"],
            "segmentation": found["segmentation"],
            "presentation_state": found["presentation_state"],
            "key_object": found["key_object"],
            "rejection": found["rejection"],
            "sr_instead": sum(one.kind == "sr" for v in versions for ones in v.elsewhere.values() for one in ones),
            "lost": sum(len(outcome.lost) for outcome in outcomes),
            "quarantined": ends["quarantined"],
            "not_relevant": ends["not_relevant"],
            "dormant": sum(version.case["state"] == "dormant" for version in versions),
            "held_resolved": sum(bool(decided) for version in versions for _, decided in version.holds),
            "stories_failed": sum(bool(one.problems) for one in told),
            "checks": sum(len(one.checks) for one in told),
            **_judged([outcome.invalid for outcome in outcomes]),
            "door_to_pacs_s": {
                "median": round(statistics.median(doors), 2) if doors else None,
                "max": round(max(doors), 2) if doors else None,
            },
        }
    )


def _judged(found: Sequence[Mapping[Path, Sequence[str]] | None]) -> dict[str, int | None]:
    """How many objects dciodvfy read, and its errors; null where it is not installed."""
    known = [one for one in found if one is not None]
    if not known:
        return {"dciodvfy_objects": None, "dciodvfy_errors": None}
    errors = sum(len(lines) for one in known for lines in one.values())
    return {"dciodvfy_objects": sum(map(len, known)), "dciodvfy_errors": errors}
