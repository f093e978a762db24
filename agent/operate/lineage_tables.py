"""Why a case said what it said, in the order in which a person asks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from agent.operate.lineage import Change, changes, every_image, shown, used_images
from agent.operate.status import answer_words, to_json
from agent.state.stories import Origins

_KIND: Final = ("acquired_on", "modality", "laterality", "view_position", "role", "rule", "study_instance_uid")
_HEADINGS: Final = ("study of", "modality", "side", "view", "role", "rule", "study", "images")
_SEVERAL: Final = 3
"""Up to so many images of a kind are named one by one."""


def lineage_json(origins: Origins) -> dict[str, Any]:
    """Return everything that is kept, and what changed, as JSON."""
    before = origins.before
    return {
        "case": to_json(origins.case),
        "lineage": to_json(origins.lineage),
        "before": before and {"case": before.id, "version": before.version},
        "changed": None if not origins.lineage_before else to_json(_changed(origins)),
    }


def lineage_parts(origins: Origins) -> Iterator[Table | Text]:
    """The answer, what it rests on, what it does not rest on and why, and what is not as it was before."""
    case, lineage = origins.case, origins.lineage
    yield _text(f"case {case.id}, version {case.version}, {case.state}: {answer_words(case)}")
    yield from _images(lineage)
    yield from _facts(lineage)
    yield _table("what answered", ("", "is"), _made_by(case.summary, lineage))
    yield from _left_out(case.summary, lineage)
    yield _table(
        "what was made",
        ("object", "SOP Instance UID", "sha256", "bytes", "for"),
        (
            (o["role"], o["sop_instance_uid"], shown(o["sha256"]), o["bytes"], ", ".join(o["to"]))
            for o in _made(lineage)
        ),
    )
    yield from _before(origins)


def _made(lineage: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    made: Sequence[Mapping[str, Any]] = lineage["objects"]
    return made


def _images(lineage: Mapping[str, Any]) -> Iterator[Table | Text]:
    used = list(used_images(lineage).values())
    if not used:
        yield _text("from no image")
        return
    kinds: dict[tuple[Any, ...], list[str]] = {}
    for one in used:
        kinds.setdefault(tuple(one[name] for name in _KIND), []).append(one["sop_instance_uid"])
    yield _table(
        f"from {_several(len(used), 'image')}", _HEADINGS, ((*kind, _uids(uids)) for kind, uids in kinds.items())
    )


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _uids(uids: Sequence[str]) -> str:
    return "\n".join(uids) if len(uids) <= _SEVERAL else f"{len(uids)}, the first {uids[0]}"


def _facts(lineage: Mapping[str, Any]) -> Iterator[Table | Text]:
    facts = lineage["facts"]
    if not facts:
        yield _text("from no clinical fact")
        return
    yield _table(
        "from these facts", ("fact", "known on", "source"), ((f["name"], f["known_on"], f["source"]) for f in facts)
    )


def _made_by(summary: Mapping[str, Any], lineage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    bundle, code, site = lineage["bundle"], lineage["code"], lineage["site"]
    yield (
        "model",
        f"{bundle['name']} {bundle['version']} ({bundle['intended_use']}), manifest sha256 {bundle['digest']}",
    )
    yield "ran on", f"{bundle['device']} ({bundle['provider']})"
    for answer in summary.get("answers", ()):
        if answer.get("contributions"):
            parts = ", ".join(f"{name} {value:+.3f}" for name, value in answer["contributions"].items())
            yield f"{answer['side']} log-odds", parts
    yield "operating points", shown(site["operating_points"])
    yield "prevalence", f"site {shown(site['prevalence'])}, training {shown(summary.get('training_prevalence'))}"
    yield "time zone", site["time_zone"]
    yield "configuration", f"sha256 {lineage['configuration']['digest']}"
    yield "clinical query", f"sha256 {lineage['ehr_query']}"
    yield "code", f"sentinode {code['version']}, sources sha256 {code['digest']}"
    yield "runs on", f"Python {code['python']}, {shown(code['libraries'])}"
    yield "findings", f"sha256 {lineage['findings']}"
    yield "made at", lineage["made_at"]


def _left_out(summary: Mapping[str, Any], lineage: Mapping[str, Any]) -> Iterator[Table | Text]:
    """Images by reason, then what arrived damaged, facts, and what was not there at all."""
    images = Counter((one["modality"], one["left_out"]) for one in every_image(lineage) if one["left_out"])
    rows = [(_several(number, f"{modality} image"), reason) for (modality, reason), number in images.items()]
    rows += [(one["what"], f"{one['modality']} damaged when it arrived".strip()) for one in lineage["damaged"]]
    rows += [(one["name"], one["reason"]) for one in lineage["facts_left_out"]]
    rows += [(modality, "missing") for modality in summary.get("modalities_missing", ())]
    yield _table("left out", ("what", "why"), rows) if rows else _text("nothing was left out")


def _before(origins: Origins) -> Iterator[Table | Text]:
    before = origins.before
    if before is None:
        yield _text("there is no version before it")
    elif not origins.lineage_before:
        yield _text(f"the version before it (case {before.id}) was answered without a lineage")
    else:
        rows = [(change.part, change.what) for change in _changed(origins)]
        rows = rows or [("", "nothing: it rests on the same")]
        title = f"not as it was for version {before.version} (case {before.id})"
        yield _table(title, ("", "what"), [("it said", answer_words(before)), *rows])


def _changed(origins: Origins) -> tuple[Change, ...]:
    return changes(origins.lineage_before, origins.lineage)


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    table = Table(title=_text(title), title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_text("" if cell is None else str(cell)) for cell in row))
    return table


def _text(words: str) -> Text:
    """Text as it is: nothing that a hospital wrote is markup, nor may it move the cursor."""
    return Text("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in words))
