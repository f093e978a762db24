"""An examination of the clinical database as tables and sentences for a terminal."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from agent.core.prediction import Side
from agent.operate.doctor import MISSING, BundleLine, EhrExamination

_UNITS: Final = {"date": "", "TNM": "", "count": ""}
"""Units that a value does not need: it is clear what it is."""


def ehr_parts(seen: EhrExamination) -> Iterator[Table | Text]:
    """The facts, whether the question applies, and what each bundle would do."""
    who = f"patient {seen.patient_id} of issuer {seen.issuer}"
    if not seen.known:
        yield _plain(
            f"{who}: {seen.reason}. Compare both with what the images say (0010,0020 and 0010,0021), and with the"
            " condition of the query."
        )
        return
    yield _facts(seen, who)
    yield _plain(_missing(seen))
    yield _plain("\n".join(_eligibility(seen)))
    yield _bundles(seen)


def _facts(seen: EhrExamination, who: str) -> Table:
    table = Table(title=_plain(f"what the hospital knows of {who}"), title_justify="left")
    table.add_column("fact", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("known on", no_wrap=True)
    table.add_column("source", overflow="fold")
    table.add_column("taken?", overflow="fold")
    for line in seen.facts:
        if line.verdict != MISSING:
            value = "" if line.value is None else f"{line.value} {_UNITS.get(line.unit, line.unit)}".rstrip()
            verdict = f"{line.verdict}: {line.reason}" if line.reason else line.verdict
            table.add_row(*map(_plain, (line.name, value, line.known_on, line.source, verdict)))
    return table


def _missing(seen: EhrExamination) -> str:
    return "missing: " + (", ".join(line.name for line in seen.facts if line.verdict == MISSING) or "nothing")


def _eligibility(seen: EhrExamination) -> Iterator[str]:
    if not seen.asked:
        yield f"Not asked: {seen.reason}. Nothing is sent; the case waits."
        return
    yield f"Asked, but there can be no estimate: {seen.reason}" if seen.reason else "Asked."
    for side, reason in seen.axillae:
        name = Side(side).word
        yield f"  {name} axilla: no estimate. {reason}" if reason else f"  {name} axilla: an estimate may be given"
    if seen.cutoff:
        yield f"  Images and facts from {seen.cutoff} on are left out."
    yield from (f"  To be mentioned: {flag}" for flag in seen.flags)


def _bundles(seen: EhrExamination) -> Table:
    table = Table(title="what each bundle would do", title_justify="left")
    for heading in ("bundle", "question", "it would", "facts", "images"):
        table.add_column(heading, overflow="fold")
    for line in seen.bundles:
        cells = (line.bundle, line.question, line.would, "; ".join(_of_facts(line)), _of_images(line))
        table.add_row(*map(_plain, cells))
    return table


def _of_facts(line: BundleLine) -> Iterator[str]:
    if not line.facts:
        return
    yield f"uses {len(line.used)} of {line.facts} facts"
    if line.missing:
        yield f"missing {', '.join(line.missing)}"
    yield from (f"{name} left out: {reason}" for name, reason in line.left_out)
    if line.unusual:
        yield f"outside what it was trained on: {', '.join(line.unusual)}"


def _of_images(line: BundleLine) -> str:
    if not line.images and not line.required:
        return ""
    needed = f"no estimate without {', '.join(line.required)}" if line.required else "none is required"
    return f"can use {', '.join(line.images)}; {needed}" if line.images else needed


def _plain(text: str) -> Text:
    """Text as it is: no value of a database is markup, nor may it move the cursor."""
    return Text("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text))
