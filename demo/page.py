"""demo/out/index.html: what arrived in the PACS, to be looked at by a person."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

DISCLAIMER = "Research software. Not cleared or CE-marked. Not for clinical use."

STYLE = """
:root { color-scheme: dark; --line: #333c46; --soft: #9fb0c0; }
body { margin: 0 auto; max-width: 1180px; padding: 24px; background: #11161b; color: #e8edf2;
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 12px 0; } h2 { font-size: 19px; margin: 0 0 4px; }
.disclaimer { background: #780000; padding: 8px 14px; font-weight: 600; text-align: center; }
.story, .soft { color: var(--soft); }
section { border-top: 1px solid var(--line); margin-top: 28px; padding-top: 18px; }
table { border-collapse: collapse; width: 100%; } td, th { padding: 6px 10px; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; } th { color: var(--soft); font-weight: 500; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.pictures { display: flex; flex-wrap: wrap; gap: 14px; margin: 14px 0; } .pictures a { flex: 1 1 480px; }
img { width: 100%; height: auto; border: 1px solid var(--line); background: #000; }
.report { background: #182028; border: 1px solid var(--line); padding: 12px 18px; }
summary { cursor: pointer; color: var(--soft); font-size: 14px; margin-top: 8px; }
.report h3 { margin: 8px 0 2px; font-size: 14px; color: var(--soft); } .report p { margin: 2px 0 6px; }
"""


@dataclass(frozen=True)
class Shown:
    """One patient on the page: a line that tells the story, table rows, and the files that arrived."""

    patient: str
    story: str
    rows: tuple[tuple[str, ...], ...]
    files: tuple[Path, ...]


HEADINGS = ("patient", "axilla", "used", "missing", "probability (95 % CI)", "category", "complete → SR in PACS")


def write_page(folder: Path, patients: Sequence[Shown]) -> Path:
    """Write index.html and a PNG beside every capture; return the page's path."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for p in patients for row in p.rows
    )
    head = "".join(f"<th>{h}</th>" for h in HEADINGS)
    page = folder / "index.html"
    page.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Sentinode demo</title><style>{STYLE}</style>"
        f"<div class=disclaimer>{DISCLAIMER}</div><h1>Sentinode demo: what arrived in the PACS</h1>"
        f"<p class=soft>All patients are synthetic; the model was trained on synthetic patients.</p>"
        f"<table><tr>{head}</tr>{rows}</table>{''.join(_section(folder, p) for p in patients)}",
        encoding="utf-8",
    )
    return page


def _section(folder: Path, shown: Shown) -> str:
    objects = [(path, dcmread(path)) for path in shown.files]
    captures = [(path, ds) for path, ds in objects if "PixelData" in ds]
    reports = [ds for _, ds in objects if ds.SOPClassUID.name == "Enhanced SR Storage"]
    pictures = "".join(_picture(folder, path, ds) for path, ds in captures)
    words = "".join(_words(ds) for ds in reports) or "<p>Nothing was sent.</p>"
    return (
        f"<section><h2>{html.escape(shown.patient)}</h2><p class=story>{html.escape(shown.story)}</p>"
        f"<div class=report>{words}</div><div class=pictures>{pictures}</div>"
        f"<p class=soft>{html.escape(', '.join(path.name for path, _ in objects))}</p></section>"
    )


def _picture(folder: Path, path: Path, ds: Dataset) -> str:
    png = path.with_suffix(".png")
    Image.fromarray(ds.pixel_array).save(png)
    name = html.escape(str(png.relative_to(folder)))
    return f'<a href="{name}"><img src="{name}" alt="{html.escape(ds.SeriesDescription)}"></a>'


def _words(ds: Dataset) -> str:
    parts: dict[str, list[str]] = {}
    for head, text in _texts(ds, ""):
        parts.setdefault(head, []).append(f"<p>{html.escape(text)}</p>")
    return "".join(_part(head, "".join(texts)) for head, texts in parts.items())


def _part(head: str, texts: str) -> str:
    """Answer and conclusion stand open; evidence and limits unfold."""
    if head in ("Evidence", "Limits"):
        return f"<details><summary>{html.escape(head)}</summary>{texts}</details>"
    return f"<h3>{html.escape(head)}</h3>{texts}"


def _texts(item: Dataset, head: str) -> Iterator[tuple[str, str]]:
    for child in item.get("ContentSequence", []):
        name = child.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in child else ""
        if child.ValueType == "TEXT" and child.RelationshipType == "CONTAINS":
            yield head, child.TextValue
        elif child.ValueType == "CONTAINER":
            yield from _texts(child, name)
