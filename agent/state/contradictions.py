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
    return [line for conflict in conflicts for line in _lines(connection, conflict)]


def _lines(connection: sa.Connection, conflict: Conflict) -> Iterator[Mapping[str, Any]]:
    decided = connection.execute(sa.select(t.decision).where(t.decision.c.conflict_id == conflict.id)).one_or_none()
    rulings = f"decided: {decided.ruling}" if decided else ", ".join(f"--{r}" for r in sorted(ALLOWED[conflict.kind]))
    said = list(_SPELT[conflict.kind](connection, conflict)) or [("", "")]
    for about, says in said:
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
            yield "", f"HL7 says: {', '.join(told.names) or 'no name'}, {told.birth_date}, {told.sex or 'no sex'}"


def _keys(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    study = conflict.subjects[0]
    table = t.instance.c
    query = (
        sa.select(table.issuer, table.patient_id, sa.func.count())
        .where(table.study_instance_uid == study)
        .group_by(table.issuer, table.patient_id)
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
        header = row.header
        other = [name for name in _COMPARED if str(header[name] or "") != str(current[name] or "")]
        other += ["demographics"] * (header["demographics"]["name"] != current["patient_name"])
        other += ["pixels"] * row.other_pixels
        differs = f"differs in {', '.join(other)}" if other else "differs in the patient or in what describes the image"
        yield row.sha256, f"{uid} of {row.patient_id} ({row.issuer}), {row.standing}: {differs}"


def _nothing(connection: sa.Connection, conflict: Conflict) -> Iterator[tuple[str, str]]:
    yield from ()


_SPELT: Final = {
    ConflictKind.DEMOGRAPHICS: _identities,
    ConflictKind.SHARED_STUDY: _keys,
    ConflictKind.CORRECTION: _objects,
    ConflictKind.PIXELS: _objects,
    ConflictKind.LATERALITY: _nothing,
    ConflictKind.STRANDED: _nothing,
}
