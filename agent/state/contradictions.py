"""What a held case is held for, spelt out for the person who decides: who says what. Nothing here changes anything."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from agent.core.conflict import ALLOWED, Conflict, ConflictKind
from agent.core.identities import key_digest
from agent.core.patient import PatientKey
from agent.state import tables as t

_COMPARED: Final = (
    *("study_instance_uid", "series_instance_uid", "accession_number", "sop_class_uid", "modality", "laterality"),
    *("view_position", "presentation_intent", "acquired_on", "rows", "columns", "frames"),
)


def held_for(connection: sa.Connection, case_id: int) -> Sequence[Mapping[str, Any]]:
    """List every statement of every conflict of a version: its name (`about`), what it says, what may be ruled."""
    document = sa.select(t.case_document.c.body).where(
        t.case_document.c.case_id == case_id, t.case_document.c.name == "conflicts"
    )
    rows = (connection.execute(document).scalar() or {}).get("conflicts", ())
    conflicts = [Conflict(ConflictKind(row["kind"]), tuple(row["subjects"]), row["sentence"]) for row in rows]
    return [line for conflict in conflicts for line in _lines(connection, conflict, case_id)]


def _lines(connection: sa.Connection, conflict: Conflict, case_id: int) -> Iterator[Mapping[str, Any]]:
    decided = connection.execute(sa.select(t.decision).where(t.decision.c.conflict_id == conflict.id)).one_or_none()
    rulings = f"decided: {decided.ruling}" if decided else ", ".join(f"--{r}" for r in sorted(ALLOWED[conflict.kind]))
    if conflict.kind is ConflictKind.LATERALITY:
        said = list(_images(connection, case_id))
    else:
        said = list(_SPELT[conflict.kind](connection, conflict))
    for about, says in said or [("", "")]:
        yield {
            "conflict": conflict.id,
            "why": conflict.sentence,
            "about": about,
            "says": says,
            "rulings": rulings,
        }


def _identities(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    table = t.identity.c
    query = sa.select(t.identity).where(table.digest.in_(conflict.subjects)).order_by(table.seen_at, table.digest)
    for row in connection.execute(query):
        who = f"{row.patient_id} ({row.issuer}): {row.patient_name or 'no name'}"
        born = row.birth_date or "no birth date"
        yield row.digest, f"{who}, {born}, {row.sex or 'no sex'}, since {row.seen_at:%Y-%m-%d %H:%M}"
        for told in connection.execute(
            sa.select(t.told).where(t.told.c.patient_id == row.patient_id, t.told.c.issuer == row.issuer)
        ):
            names, told_birth = ", ".join(told.names) or "no name", told.birth_date or "no birth date"
            yield "", f"HL7 says: {names}, {told_birth}, {told.sex or 'no sex'}"


def _keys(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    """Name every key of the study; one has no images where only images that no case takes name it."""
    study = conflict.subjects[0]
    table, named = t.instance.c, t.study_patient.c
    same = [table[name] == named[name] for name in ("study_instance_uid", "issuer", "patient_id")]
    query = (
        sa.select(named.issuer, named.patient_id, sa.func.count(table.id))
        .select_from(t.study_patient.outerjoin(t.instance, sa.and_(*same)))
        .where(named.study_instance_uid == study)
        .group_by(named.issuer, named.patient_id)
        .order_by(named.issuer, named.patient_id)
    )
    for issuer, patient_id, count in connection.execute(query):
        yield key_digest(PatientKey(issuer, patient_id)), f"{patient_id} ({issuer}): {count} images of study {study}"


def _objects(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    uid = conflict.subjects[0]
    current = connection.execute(sa.select(t.instance).where(t.instance.c.sop_instance_uid == uid)).mappings().first()
    if current is None:
        return
    yield current["sha256"], f"{uid} of {current['patient_id']} ({current['issuer']}), first"
    for row in connection.execute(sa.select(t.variant).where(t.variant.c.sop_instance_uid == uid)):
        other = [*_differences(current, row), *["pixels"] * row.other_pixels]
        differs = f"differs in {', '.join(other)}" if other else "differs in the patient or in what describes the image"
        yield row.sha256, f"{uid} of {row.patient_id} ({row.issuer}), {row.standing}: {differs}"


def _differences(current: Mapping[Any, Any], row: sa.Row[Any]) -> Iterator[str]:
    """Yield what another object says differently, as "laterality: L → R"."""
    header = row.header
    who = header["demographics"]
    said = {name: (current[name], header[name]) for name in _COMPARED}
    said |= {name: (current[name], getattr(row, name)) for name in ("patient_id", "issuer")}
    said["patient name"] = (current["patient_name"], who["name"])
    said |= {name: (current[name], who[name]) for name in ("birth_date", "sex")}
    said |= {name: (current["traits"].get(name), value) for name, value in header["traits"].items()}
    for name, (old, new) in said.items():
        if _text(old) != _text(new):
            yield f"{name.replace('_', ' ')}: {_text(old) or 'none'} → {_text(new) or 'none'}"


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)


def _nothing(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    yield from ()


def _images(connection: sa.Connection, case_id: int) -> Iterator[tuple[str, str]]:
    """Yield each image of a case with its side."""
    image = t.instance.c
    query = (
        sa.select(t.instance)
        .join(t.case_instance, t.case_instance.c.instance_id == image.id)
        .where(t.case_instance.c.case_id == case_id)
        .order_by(image.id)
    )
    for row in connection.execute(query):
        side, taken = row.laterality or "no side", row.acquired_on or "no date"
        yield "", f"{row.sop_instance_uid}: {row.modality}, {side}, {taken}, study {row.study_instance_uid}"


_SPELT: Final = {
    ConflictKind.DEMOGRAPHICS: _identities,
    ConflictKind.SHARED_STUDY: _keys,
    ConflictKind.CORRECTION: _objects,
    ConflictKind.PIXELS: _objects,
    ConflictKind.STRANDED: _nothing,
}
