"""One patient on the page: her story, what was sent, what came back, what was checked."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from agent.report.words import capital
from demo import reading, words
from demo.answers import answer_card
from demo.closing import Told
from demo.hanging import caption, hung
from demo.outcome import Arrived, Outcome, Version
from demo.pictures import thumbnails, write_capture, write_thumbnails

FOLDED: Final = ("Evidence", "Limits")


def patient_section(folder: Path, told: Told) -> str:
    """Write a patient's pictures below `folder` and return her section."""
    outcome, problems = told.outcome, told.problems
    patient = outcome.patient
    newest, older = outcome.versions[-1:], outcome.versions[-2::-1]
    shown = "".join(_version(folder, outcome, version) for version in newest)
    before = "".join(
        f"<details class=old><summary>Version {version.case['version']}, superseded, as it was sent</summary>"
        f"{_version(folder, outcome, version)}</details>"
        for version in older
    )
    nothing = (
        "" if newest and newest[0].arrived else f"<p><b>Nothing was sent.</b> {escape(words.no_answer(outcome))}</p>"
    )
    failed = "".join(f"<p class=problem>{escape(problem)}</p>" for problem in problems)
    return (
        f"<section id=p{patient.number}{' class=failed' if problems else ''}>{_head(outcome)}"
        f"<p class=story>{escape(patient.story.text)}</p>{failed}"
        f"{_sent(folder, outcome)}{nothing}{shown}{before}{_checks(told)}</section>"
    )


def _head(outcome: Outcome) -> str:
    patient = outcome.patient
    name = " = ".join(group.replace("^", " ").strip() for group in patient.who.name.split("="))
    side = {"B": "both breasts"}.get(patient.who.side, words.SIDES.get(patient.who.side, ""))
    return (
        f"<div class=head><h2>{patient.number}. {escape(patient.story.title)}</h2><span class=who>{escape(name)} · "
        f"{escape(patient.who.patient_id)} · issuer {escape(patient.who.issuer)} · {escape(side)}</span></div>"
    )


def _sent(folder: Path, outcome: Outcome) -> str:
    studies: dict[str, list[Dataset]] = {}
    for ds in outcome.patient.sent.values():
        studies.setdefault(str(ds.StudyInstanceUID), []).append(ds)
    return f"<div class=sent>{''.join(_study(folder, outcome, images) for images in studies.values())}</div>"


def _study(folder: Path, outcome: Outcome, images: Sequence[Dataset]) -> str:
    modality, chosen = str(images[0].Modality), hung(thumbnails(images))
    where = folder / outcome.patient.folder / "sent"
    paths = [where / f"{modality}-{number}.jpg" for number in range(1, len(chosen) + 1)]
    write_thumbnails(chosen, paths)
    pictures = [
        f"<div><img loading=lazy src='{_link(folder, path)}' alt='{escape(caption(ds))}'>{escape(caption(ds))}</div>"
        for ds, path in zip(chosen, paths, strict=True)
    ]
    late = ", later" if images[0] in outcome.patient.late else ""
    whose = " of another woman" if images[0] in outcome.patient.foreign else ""
    count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
    said = f"sent{late}: {words.MODALITIES.get(modality, modality)}{whose}, {count}"
    return (
        f"<figure><figcaption>{escape(said)}</figcaption><div class='row {modality}'>{''.join(pictures)}</div></figure>"
    )


def _version(folder: Path, outcome: Outcome, version: Version) -> str:
    if not version.arrived:
        return ""
    number = int(version.case["version"])
    replaced = f"Version {number} replaces version {number - 1}. " if number > 1 else ""
    waited, door = words.seconds(version.waited_s), words.seconds(version.door_to_pacs_s)
    when = f"{replaced}Waited after the last image: {waited}. Complete → first report in the PACS: {door}"
    cards = "".join(answer_card(answer) for answer in version.answers)
    pictures = "".join(_picture(folder, one) for one in version.of_kind("secondary_capture"))
    cards += _left_out(outcome, version)
    held = "".join(f"<p class=when>Held: {escape(said)}</p>" for said in words.holds(version))
    return (
        f"<div class=version>{held}<p class=when>{escape(when)}</p>{_rejections(version)}"
        f"<div class=answers>{cards}</div>"
        f"<div class=pictures>{pictures}</div>{_report(version)}{_files(folder, version)}</div>"
    )


def _picture(folder: Path, one: Arrived) -> str:
    small, large = write_capture(one.ds, one.path.parent, one.path.stem)
    text = str(one.ds.ImageComments)
    return (
        f"<a href='{_link(folder, large)}' title='open large'><img loading=lazy src='{_link(folder, small)}' "
        f"alt='{escape(text)}'></a>"
    )


def _report(version: Version) -> str:
    """The text SR; answer and conclusions stand open, evidence and limits unfold."""
    parts = [part for one in version.of_kind("text_sr") for part in reading.sections(one.ds)]
    open_ones = "".join(
        f"<div><h4>{escape(head)}</h4>{_lines(lines)}</div>" for head, lines in parts if head not in FOLDED
    )
    folded = "".join(
        f"<details class=words><summary>{escape(head)}</summary>{_lines(lines)}</details>"
        for head, lines in parts
        if head in FOLDED
    )
    return f"<h3>The report, as a viewer shows it</h3><div class=words>{open_ones}</div>{folded}"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _left_out(outcome: Outcome, version: Version) -> str:
    """What was not used and what was missing; where there is no estimate, in the words of the text SR."""
    if version.estimates:
        unused = words.left_out(outcome, version)
        missing = [words.inputs(version.summary.get("modalities_missing", ()), "nothing")]
    else:
        texts = [one.ds for one in version.of_kind("text_sr")]
        unused = [*words.left_out(outcome, None), *(line for ds in texts for line in reading.not_used(ds))]
        missing = [line for ds in texts for line in reading.absent(ds)] or ["nothing"]
    return (
        f"<div class=answer><h3>Received and not used</h3>{_items(unused or ['nothing'])}<h3>Not available</h3>"
        f"{_items(missing)}<h3>Facts used</h3>{_items([words.facts(version)])}</div>"
    )


def _items(texts: Sequence[str]) -> str:
    return f"<ul class=plain>{''.join(f'<li>{escape(capital(text))}' for text in texts)}</ul>"


def _files(folder: Path, version: Version) -> str:
    """Every object as its archive holds it, and what Key Objects say of others."""
    rows = "".join(_file(folder, one, "the PACS") for one in version.arrived)
    rows += "".join(_file(folder, one, name) for name, found in version.elsewhere.items() for one in found)
    count = f"{len(version.arrived)} DICOM objects in the PACS"
    count += "".join(f", {len(found)} in {name}" for name, found in version.elsewhere.items() if found)
    heads = "<th>file<th>what it is<th>as viewers list it<th class=more>where"
    return (
        f"<details><summary>{escape(count)}</summary><div class=wide><table class=files><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _file(folder: Path, one: Arrived, where: str) -> str:
    said = "".join(f"<br><span class=soft>{escape(line)}</span>" for line in reading.key_object(one.ds))
    return (
        f"<tr><td><a href='{_link(folder, one.path)}'>{escape(one.path.name)}</a><td>"
        f"{escape(one.ds.SOPClassUID.name.removesuffix(' Storage'))}{said}<td>{escape(one.ds.SeriesDescription)}"
        f"<td class='soft more'>{escape(where)}</tr>"
    )


def _rejections(version: Version) -> str:
    """What a version says of the one before it, beside being its successor."""
    lines = [". ".join(reading.key_object(one.ds)) for one in version.of_kind("rejection")]
    return "".join(f"<p class=when>Key Object: {escape(line)}</p>" for line in lines)


def _checks(told: Told) -> str:
    items = "".join(
        f"<li class=problem>{escape(one.what)}: {escape(one.problem)}" if one.problem else f"<li>{escape(one.what)}"
        for one in told.checks
    )
    held = sum(not one.problem for one in told.checks)
    state = " open" if told.problems else ""
    return (
        f"<details class=checks{state}><summary>{held} of {len(told.checks)} checks hold</summary>"
        f"<ul>{items}</ul></details>"
    )


def _link(folder: Path, path: Path) -> str:
    return escape(path.relative_to(folder).as_posix(), quote=True)
