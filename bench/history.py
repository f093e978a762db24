"""Rows of a long history, inserted in bulk: what an agent holds after years, without living them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from agent.core.case import CaseEvent, CaseState
from agent.core.demographics import Demographics
from agent.core.identities import identity_digest
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.core.result import Kind
from agent.state import tables as t
from agent.state.database import open_engine, parse_url
from bench.objects import ISSUER, ROOT, patient_id
from bench.site import START, Site

LATER: Final = START + timedelta(hours=1)  # when the first of those that wait is due
MOST_IMAGES: Final = 1000  # of a case
MANY: Final = 5000  # rows in one statement
FINISHED, WAITING = 10_000_000, 20_000_000  # numbers of the first patient of each sort
SHARE_OPEN: Final = 0.05  # of the cases that wait: the others are dormant
_NAME: Final = "BENCH^HISTORY"
_EVENTS: Final = (
    (CaseEvent.INSTANCE_STORED, CaseState.COLLECTING, CaseState.COLLECTING),
    (CaseEvent.COMPLETE, CaseState.COLLECTING, CaseState.READY),
    (CaseEvent.CLAIMED, CaseState.READY, CaseState.RUNNING),
    (CaseEvent.RESULT_SAVED, CaseState.RUNNING, CaseState.DELIVERING),
    (CaseEvent.ALL_CONFIRMED, CaseState.DELIVERING, CaseState.DONE),
)
Row = dict[str, Any]
Rows = Mapping[sa.Table, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class History:
    """How much there is."""

    finished: int = 100_000
    instances: int = 1_000_000  # of the finished cases together
    waiting: int = 100_000  # open and dormant ones

    @property
    def images(self) -> int:
        """Instances of each finished case."""
        return max(1, self.instances // max(1, self.finished))


def fill(site: Site, history: History, progress: Callable[[str, int, int], None]) -> None:
    """Put a history into an empty site."""
    engine = open_engine(parse_url(site.url))
    random = Random(3)  # noqa: S311 - no secrets
    try:
        for start in range(0, history.finished, MANY):
            numbers = range(start, min(start + MANY, history.finished))
            _insert(engine, _finished(numbers), numbers, history.images)
            progress("finished cases", numbers.stop, history.finished)
        for start in range(0, history.waiting, MANY):
            numbers = range(start, min(start + MANY, history.waiting))
            rows = _waiting(numbers, history, site.refresh, random)
            _insert(engine, rows, range(numbers.start + history.finished, numbers.stop + history.finished), 1)
            progress("waiting cases", numbers.stop, history.waiting)
        with engine.begin() as db:
            _count(db)
            db.exec_driver_sql("ANALYZE" if engine.dialect.name == "postgresql" else "PRAGMA optimize")
            _restart_numbers(db)
    finally:
        engine.dispose()
    _hospital(site, history)


def _insert(engine: sa.Engine, rows: Rows, cases: range, images: int) -> None:
    """Insert rows, and so many images of each of the cases (numbered from 0)."""
    with engine.begin() as db:
        for table, values in rows.items():
            db.execute(sa.insert(table), values)
        held = _held(cases, images)
        for table, values in _image_columns(held).items():
            columns = [sa.literal(v, table.c[n].type) if _is_plain(v) else v for n, v in values.items()]
            db.execute(sa.insert(table).from_select(list(values), sa.select(*columns)))


def _is_plain(value: object) -> bool:
    return not isinstance(value, sa.ColumnElement)


def _held(cases: range, images: int) -> sa.Subquery:
    """Return case, patient and image of every image of some cases: no row of them goes through Python."""
    start = sa.select(sa.literal(0).label("n")).cte("numbers", recursive=True)
    numbers = start.union_all(sa.select(start.c.n + 1).where(start.c.n < images - 1))
    image = t.cases.c.id * MOST_IMAGES + numbers.c.n
    return (
        sa.select(t.cases.c.id.label("case_id"), t.cases.c.patient_id, image.label("image"))
        .select_from(t.cases.join(numbers, sa.true()))
        .where(t.cases.c.id > cases.start, t.cases.c.id <= cases.stop)
        .subquery("held")
    )


def _finished(numbers: range) -> Rows:
    """Rows of finished cases: history, images, result and its way out."""
    ids = [n + 1 for n in numbers]
    results = [(one, 2 * one - k) for one in ids for k in (1, 0)]
    done = {"state": CaseState.DONE, "due_at": None, "reason": ""}
    return {
        t.cases: [_case(one, FINISHED + one, START - timedelta(days=200), **done) for one in ids],
        t.case_event: [
            {"case_id": one, "at": START, "event": e, "from_state": a, "to_state": b, "attempt": 1, "reason": ""}
            for one in ids
            for e, a, b in _EVENTS
        ],
        t.identity: [_identity(FINISHED + one) for one in ids],
        t.study_patient: [_study(FINISHED + one) for one in ids],
        t.case_document: [
            {"case_id": one, "name": name, "body": {"evidence": ["complete"], "missing": []}}
            for one in ids
            for name in ("findings", "summary")
        ],
        t.result_object: [_result(one, n) for one, n in results],
        t.outbox: [_sent(one, n) for one, n in results],
    }


def _waiting(numbers: range, history: History, refresh: timedelta, random: Random) -> Rows:
    """Rows of cases that are looked at again, each at its own moment within the refresh interval."""
    first, cases = history.finished + 1, []
    for n in numbers:
        is_open = n < history.waiting * SHARE_OPEN
        due = LATER + refresh * random.random()
        state = CaseState.COLLECTING if is_open else CaseState.DORMANT
        reason = "MG is expected" if is_open else "no invasive cancer is known"
        cases.append(_case(first + n, WAITING + n, START, state=state, due_at=due, reason=reason))
    return {
        t.cases: cases,
        t.identity: [_identity(WAITING + n) for n in numbers],
        t.study_patient: [_study(WAITING + n) for n in numbers],
    }


def _case(number: int, patient: int, at: datetime, **how: Any) -> Row:
    times = {"opened_at": at, "changed_at": at, "ready_at": at if how["state"] is CaseState.DONE else None}
    who = {"question": "aln", "issuer": ISSUER, "patient_id": patient_id(patient)}
    return {"id": number, "case_uuid": UUID(int=number), "version": 1, "attempt": 1, **who, **times, **how}


def _image_columns(held: sa.Subquery) -> dict[sa.Table, Row]:
    """By table, what its columns hold of every image; the spool has none of them any more."""
    one = held.c
    numbered = sa.cast(10**15 + one.image, sa.Text)
    place = {"segment": 10**6 + one.image / 100, "generation": 1, "offset_bytes": one.image, "received_at": START}
    who = {"issuer": ISSUER, "patient_id": one.patient_id, "modality": "US"}
    uids = {
        "sop_instance_uid": sa.literal(f"{ROOT}.75").concat(numbered),
        "study_instance_uid": one.patient_id.concat(".76"),
    }
    header = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.6.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "series_instance_uid": one.patient_id.concat(".77"),
        "laterality": "L",
        "view_position": "",
        "presentation_intent": "",
        "acquired_on": START.date(),
        "rows": 600,
        "columns": 800,
        "frames": 1,
        "sha256": numbered,
        "pixels_sha256": numbered,
        "patient_name": _NAME,
        "sex": "F",
        "traits": {"series_description": "tumour", "study_description": "Breast", "sides": ["L"]},
    }
    arrived = {"association_id": one.patient_id, "ending": End.COLLECTED, "reason": "collected for aln"}
    link = {"case_id": one.case_id, "instance_id": one.image, "used": True, "left_out": "", "quarantined": False}
    return {
        t.instance: {"id": one.image, **uids, **who, **header, **place},
        t.arrival: {**uids, **who, **arrived, **place},
        t.case_instance: link,
    }


def _identity(patient: int) -> Row:
    key = PatientKey(ISSUER, patient_id(patient))
    said = Demographics(_NAME, None, "F")
    row = {"patient_id": key.patient_id, "issuer": ISSUER, "patient_name": said.name, "birth_date": None, "sex": "F"}
    return {"digest": identity_digest(key, said), **row, "seen_at": START, "barred": ""}


def _study(patient: int) -> Row:
    study = f"{patient_id(patient)}.76"
    return {"study_instance_uid": study, "patient_id": patient_id(patient), "issuer": ISSUER, "barred": ""}


def _result(case: int, number: int) -> Row:
    uids = {
        name: f"{ROOT}.78{number:015}" for name in ("sop_instance_uid", "study_instance_uid", "series_instance_uid")
    }
    kind = Kind.SR if number % 2 else Kind.TEXT_SR
    what = {"kind": kind, "role": f"{kind}:L", "axilla": "L", "idx": 0, "position": 1 - number % 2, "needs": []}
    syntax = {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34", "transfer_syntax_uid": "1.2.840.10008.1.2.1"}
    return {"id": number, "case_id": case, **what, **uids, **syntax}


def _sent(case: int, number: int) -> Row:
    times = dict.fromkeys(("next_at", "queued_at", "tried_at", "stored_at"), START)
    how = {"destination": "pacs", "status": OutboxStatus.CONFIRMED, "attempts": 0, "position": 0, "error": ""}
    return {"id": number, "result_object_id": number, "case_id": case, **how, **times}


def _restart_numbers(db: sa.Connection) -> None:
    """Let PostgreSQL count on from the numbers that were given here; SQLite does it by itself."""
    if db.dialect.name == "postgresql":
        for name in ("cases", "instance", "result_object", "outbox"):
            db.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT coalesce(max(id), 1) FROM {name}))"  # noqa: S608 - ours
            )


def _count(db: sa.Connection) -> None:
    """Keep the counts that the agent keeps."""
    counted = {
        "cases": (t.cases.c.state, sa.literal("")),
        "arrivals": (t.arrival.c.ending, t.arrival.c.reason),
        "outbox": (t.outbox.c.destination, t.outbox.c.status),
    }
    for subject, kind in counted.items():
        for name, detail, number in db.execute(sa.select(*kind, sa.func.count()).group_by(*kind)).all():
            db.execute(sa.insert(t.tally).values(subject=subject, name=name, detail=detail, number=number))


def _hospital(site: Site, history: History) -> None:
    """Let the hospital know of all who wait: a cancer of those that are open, a benign finding of the others."""
    opened = int(history.waiting * SHARE_OPEN)
    site.diagnose(range(WAITING, WAITING + opened), "invasive")
    site.diagnose(range(WAITING + opened, WAITING + history.waiting), "benign")
