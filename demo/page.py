"""demo/out/index.html: every story, what came of it, and how it was checked, to be looked at by a person."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from demo import words
from demo.answers import category_class, scale
from demo.closing import Told, closing
from demo.outcome import Outcome, Version
from demo.patient_page import patient_section

STYLE: Final = Path(__file__).with_name("page.css")
HELD: Final = "<span class='chip bad'>HELD</span> "
INPUTS: Final = {"MG": "MG", "US": "US", "MR": "MR", "clinical": "facts"}
HEADINGS: Final = (
    "<th><th>story<th>axilla<th class=more>used<th class=more><th>probability of nodal metastasis<th>"
    "<th class=more>waited after the last image<th class=more>complete to PACS"
)


def write_page(folder: Path, told: Sequence[Told], pacs_kind: str) -> Path:
    """Write index.html and the pictures beside it; return the page's path. It needs no network."""
    page = folder / "index.html"
    sections = "".join(patient_section(folder, one) for one in told)
    page.write_text(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Sentinode demo</title>"
        f'<meta name=viewport content="width=device-width, initial-scale=1"><style>{STYLE.read_text("utf-8")}</style>'
        f"</head><body><div class=disclaimer>{escape(words.DISCLAIMER)}</div><main>{_head(told, pacs_kind)}"
        f"{_summary(told)}{sections}<footer>Files lie beside this page, a folder a patient: the DICOM objects as the "
        f"PACS holds them. The agent's log is agent.log.</footer></main></body></html>",
        encoding="utf-8",
    )
    return page


def _head(told: Sequence[Told], pacs_kind: str) -> str:
    count = json.loads(closing(told))
    median, failed = count["door_to_pacs_s"]["median"], count["stories_failed"]
    figures = {
        "patients": count["patients"],
        "cases": count["cases"],
        "SR": count["sr"],
        "text SR": count["text_sr"],
        "captures": count["secondary_capture"],
        "images lost": count["lost"],
        "complete to PACS, median": words.seconds(median),
        "checks hold" if not failed else f"stories FAILED of {len(told)}": failed or count["checks"],
    }
    cells = "".join(
        f"<div><b>{escape(str(value))}</b><span>{escape(name)}</span></div>" for name, value in figures.items()
    )
    return (
        "<h1>Sentinode demo: what arrived in the PACS</h1><p class=soft>Studies went from the PACS "
        f"({escape(pacs_kind)}) to the agent, results went back, and were fetched from there again for this page. All "
        "patients are synthetic, all names invented; the model was trained on synthetic patients.</p>"
        f"<div class=figures>{cells}</div>"
    )


def _summary(told: Sequence[Told]) -> str:
    rows = "".join(row for one in told for row in _rows(one))
    return f"<div class=wide><table class=summary><thead><tr>{HEADINGS}</tr></thead><tbody>{rows}</tbody></table></div>"


def _rows(told: Told) -> list[str]:
    """One row an axilla and version, or one that says why there is none."""
    cells = [cell for version in told.outcome.versions for cell in _answer_cells(told.outcome, version)]
    cells = cells or [_no_cells(words.no_answer(told.outcome))]
    patient = told.outcome.patient
    failed = " <span class='chip bad'>FAILED</span>" if told.problems else ""
    who = (
        f"<td class=soft>{patient.number}<td class=story><a href='#p{patient.number}'>{escape(patient.story.title)}</a>"
    )
    starts, last = [who + failed, *["<td><td>"] * (len(cells) - 1)], len(cells) - 1
    return [
        f"<tr{' class=same' if number < last else ''}>{starts[number]}{cell}</tr>" for number, cell in enumerate(cells)
    ]


def _answer_cells(outcome: Outcome, version: Version) -> list[str]:
    mark = f" <span class=soft>v{version.case['version']}</span>" if len(outcome.versions) > 1 else ""
    mark += " <span class='chip none'>superseded</span>" if outcome.superseded(version) else ""
    used = set(version.summary.get("modalities_used", ()))
    tags = "".join(f"<span class='tag{' on' if code in used else ''}'>{name}</span>" for code, name in INPUTS.items())
    spans = (words.seconds(version.waited_s), words.seconds(version.door_to_pacs_s))
    took = "".join(f"<td class='number more'>{span}" for span in spans)
    found = [_no_cells(said, HELD) for said in words.holds(version)]
    for answer in version.answers:
        side = f"<td>{escape(words.SIDES.get(str(answer.get('side')), '–'))}{mark}<td class=more>"
        if answer.get("probability") is None:
            found.append(f"{side}<td colspan=3 class=soft>{escape(words.no_estimate(answer))}{took}")
        else:
            found.append(f"{side}<div class=tags>{tags}</div>{_estimate_cells(answer)}{took}")
    return found if version.answers else [*found, _no_cells(words.state(version))]


def _no_cells(why: str, chip: str = "") -> str:
    return f"<td>–<td class=more><td colspan=3 class=soft>{chip}{escape(why)}<td class=more>–<td class=more>–"


def _estimate_cells(answer: Mapping[str, Any]) -> str:
    category = str(answer["category"])
    return (
        f"<td class=more>{scale(answer)}<td class=number><b>{escape(words.share(answer['probability']))}</b> "
        f"<span class=soft>({escape(words.interval(answer))})</span><td><span class='chip {category_class(category)}'>"
        f"{escape(category)}</span>"
    )
