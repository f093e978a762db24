"""What the rows hold, and that finding them stays quick."""

from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from agent.core.case import CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind
from agent.core.demographics import Demographics
from agent.core.errors import Permanent, Transient
from agent.core.identities import Told, identity_digest
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from agent.state import SqlStore, tables
from agent.state.database import translated
from agent.state.overview import overview
from agent.state.stories import case_story, count_cases, list_cases
from agent.state.tables import cases, outbox
from tests.state_stores import (
    CASE_UUID,
    MINUTE,
    QUESTION,
    T0,
    arrival,
    delivering,
    instance,
    opened,
    ready,
    result_object,
)

FINISHED = 5000


def test_hostile_text_is_stored(sql_store: SqlStore) -> None:
    """NUL, a lone surrogate and a text without end, from whoever sends them, break nothing and are found again."""
    hostile = PatientKey("A\0B", "\ud800" + "9" * 100_000)
    uid = "1.2\0" + "3" * 5000
    with sql_store.unit() as unit:
        case = unit.open_case(QUESTION, hostile, T0, CASE_UUID)
        case = unit.add_instance(case, instance(uid, hostile), arrival(uid), T0)
        case = unit.postpone(case, T0, "why\0" * 10_000)
    with sql_store.unit() as unit:
        found = unit.newest_case(QUESTION, hostile)
        assert found is not None and found.reason == "why�" * 10_000
        assert replace(found, reason="") == replace(case, reason="")
        assert unit.find_instance(uid) is not None
        assert unit.newest_case(QUESTION, PatientKey("A\0B", "\ud800" + "9" * 99_999)) is None
        assert found.patient.issuer == "A�B"


def test_what_is_long_but_valid_is_kept_whole(sql_store: SqlStore) -> None:
    """256 characters are four times what DICOM allows, and stay as they are."""
    patient = PatientKey("Ω" * 256, "𝔘" * 256)
    with sql_store.unit() as unit:
        assert unit.open_case(QUESTION, patient, T0, CASE_UUID).patient == patient


def test_a_time_without_a_zone_is_refused(sql_store: SqlStore) -> None:
    """A naive time is a mistake in the program."""
    naive = datetime(2026, 11, 21, 9)
    with pytest.raises(sa.exc.StatementError, match="without a zone"), sql_store.unit() as unit:
        unit.open_case(QUESTION, PatientKey("A", "1"), naive, CASE_UUID)


def test_use_and_reasons_stand_with_the_version(sql_store: SqlStore) -> None:
    """A version says of each instance whether its answer rests on it, else why not; the last word counts."""
    with sql_store.unit() as unit:
        case = opened(unit)
        for n, uid in enumerate(("1.1", "1.2", "1.3")):
            case = unit.add_instance(case, instance(uid), arrival(uid, n), T0)
        first, second, _ = unit.instances(case.id)
        unit.mark_left_out(case, first, "other side", quarantined=False)
        unit.mark_used(case, ["1.1", "1.3"])
        unit.mark_left_out(case, second, "spot view", quarantined=False)
        unit.mark_used(case, ["1.3"])
    with sql_store.reading() as db:
        story = case_story(db, case.id)
    assert story is not None
    said = [(row["sop_instance_uid"], row["used"], row["left_out"]) for row in story.instances]
    assert said == [("1.1", False, ""), ("1.2", False, "spot view"), ("1.3", True, "")]


def test_the_first_acknowledgement_is_remembered(sql_store: SqlStore) -> None:
    """When a destination stored an object first stays, whatever happens to it later."""
    with sql_store.unit() as unit:
        sr, text, _ = unit.outbox_of(delivering(unit).id)
        unit.settle(sr, OutboxStatus.SENT, T0)
        unit.settle(sr, OutboxStatus.WAITING, T0 + MINUTE)
        unit.settle(sr, OutboxStatus.CONFIRMED, T0 + 2 * MINUTE)
        unit.settle(text, OutboxStatus.REFUSED, T0)
    with sql_store.reading() as db:
        story = case_story(db, sr.case_id)
    assert story is not None
    assert [row["stored_at"] for row in story.deliveries] == [T0, None, None]


def test_everything_is_counted(sql_store: SqlStore) -> None:
    """The overview counts cases, ends and their reasons, the outbox and open associations."""
    with sql_store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        unit.arrived(replace(arrival("1.1", 1, end=End.NOT_RELEVANT), reason="no active model uses CT"))
        unit.arrived(replace(arrival("1.9", 2), reason="collected for aln"))
        item = unit.outbox_of(delivering(unit).id)[0]
        unit.settle(item, OutboxStatus.CONFIRMED, T0)
        opened(unit, 1)
    with sql_store.reading() as db:
        seen = overview(db)
    assert seen.cases == {"collecting": 1, "delivering": 1}
    assert seen.arrivals == {"not_relevant": 1, "collected": 1}
    assert seen.reasons == {"no active model uses CT": 1}
    assert seen.outbox == {"pacs: confirmed": 1, "pacs: waiting": 2}
    assert (seen.oldest_waiting, seen.open_associations) == (T0, 1)


def test_cases_are_listed(sql_store: SqlStore) -> None:
    """Versions are listed newest first, of one state if asked, each with its answer and when its SR was stored."""
    with sql_store.unit() as unit:
        answered = delivering(unit)
        unit.settle(unit.outbox_of(answered.id)[0], OutboxStatus.SENT, T0 + MINUTE)
        waiting = unit.add_instance(opened(unit, 1), instance(), arrival(), T0)
    with sql_store.reading() as db:
        lines = list_cases(db, None, 10)
        assert [line.id for line in lines] == [waiting.id, answered.id]
        assert list_cases(db, None, 1) == lines[:1]
        assert list_cases(db, CaseState.DELIVERING, 10) == lines[1:]
        assert case_story(db, 10**6) is None
    assert [line.sr_stored_at for line in lines] == [None, T0 + MINUTE]
    assert [(line.instances, line.summary) for line in lines] == [(1, {}), (0, {"n": 0})]


def test_held_versions_are_listed_by_how_long_they_wait(sql_store: SqlStore) -> None:
    """Not by number; a further contradiction does not make a hold younger, a new hold does."""
    conflict = Conflict(ConflictKind.LATERALITY, ("L", "0"), "The sides differ.")
    another = Conflict(ConflictKind.PIXELS, ("1.1",), "Other pixels.")
    with sql_store.unit() as unit:
        first, second, _ = opened(unit, 0), opened(unit, 1), opened(unit, 2)
        held = unit.hold(second, [conflict], T0 + MINUTE)
        unit.hold(held, [conflict, another], T0 + 5 * MINUTE)
        unit.hold(first, [conflict], T0 + 2 * MINUTE)
    with sql_store.reading() as db:
        lines = list_cases(db, CaseState.HELD, 10)
        assert [(one.id, one.held_since) for one in lines] == [
            (second.id, T0 + MINUTE),
            (first.id, T0 + 2 * MINUTE),
        ]
        assert overview(db).oldest_held == T0 + MINUTE
        assert [count_cases(db, state) for state in (None, CaseState.HELD, CaseState.DONE)] == [3, 2, 0]
        assert len(list_cases(db, CaseState.HELD, 1)) == 1
        assert [one.held_since for one in list_cases(db, CaseState.COLLECTING, 10)] == [None]
    with sql_store.unit() as unit:
        let_go = unit.apply(unit.case(second.id), CaseEvent.RESOLVED, T0 + 6 * MINUTE, due_at=T0)
        unit.hold(let_go, [another], T0 + 7 * MINUTE)
    with sql_store.reading() as db:
        assert [one.id for one in list_cases(db, CaseState.HELD, 10)] == [first.id, second.id]
        assert overview(db).oldest_held == T0 + 2 * MINUTE


def test_images_of_the_wrong_breast_are_listed(sql_store: SqlStore) -> None:
    """Each with modality, side and study, for whoever looks them up."""
    with sql_store.unit() as unit:
        case = opened(unit)
        right = replace(instance("1.1"), laterality="R", study_instance_uid="9.1")
        plain = replace(instance("1.2"), laterality="", modality="US", study_instance_uid="9.2", acquired_on=None)
        case = unit.add_instance(case, right, arrival("1.1", 1), T0)
        case = unit.add_instance(case, plain, arrival("1.2", 2), T0)
        unit.hold(case, [Conflict(ConflictKind.LATERALITY, ("L", "0"), "The sides differ.")], T0)
    with sql_store.reading() as db:
        story = case_story(db, case.id)
    assert story is not None
    assert [line["about"] for line in story.held_for] == ["", ""]
    first, second = [line["says"] for line in story.held_for]
    assert first == f"1.1: MG, R, {right.acquired_on or 'no date'}, study 9.1"
    assert second == "1.2: US, no side, no date, study 9.2"


def test_what_hl7_does_not_say_is_said_in_words(sql_store: SqlStore) -> None:
    """No "None" where no birth date was sent."""
    with sql_store.unit() as unit:
        case = opened(unit)
        who = Demographics("Doe^Jane", None, "")
        unit.note_identity(case.patient, who, T0)
        unit.tell(case.patient, Told(names=("Doe^Jane",)), T0, "M1")
        digest = identity_digest(case.patient, who)
        unit.hold(case, [Conflict(ConflictKind.DEMOGRAPHICS, (digest,), "They differ.")], T0)
    with sql_store.reading() as db:
        story = case_story(db, case.id)
    assert story is not None
    assert "HL7 says: Doe^Jane, no birth date, no sex" in [line["says"] for line in story.held_for]
    assert not any("None" in line["says"] for line in story.held_for)


def test_an_error_never_quotes_a_row() -> None:
    """The database's own words end with their first line; values stand in the later ones, or in the statement."""
    quoting = Exception('duplicate key violates "uq_x"\nDETAIL: Key (patient_id)=(CANARY) already exists.')
    with pytest.raises(Permanent, match="uq_x") as refused, translated():
        raise IntegrityError("INSERT", {"patient_id": "CANARY"}, quoting)
    with pytest.raises(Permanent, match="Exception") as wrong, translated():
        raise DataError("INSERT", {}, Exception("invalid input: CANARY"))
    assert "CANARY" not in f"{refused.value} {wrong.value}"
    assert refused.value.__suppress_context__
    assert wrong.value.__suppress_context__


def test_an_exhausted_pool_is_transient() -> None:
    """Waiting for a connection in vain may end otherwise next time."""
    with pytest.raises(Transient, match="every connection"), translated():
        raise sa.exc.TimeoutError


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_is_durable(url: str) -> None:
    """SQLite: write-ahead log, synchronous FULL, foreign keys, and patience with other processes."""
    with closing(SqlStore(url)) as store, store.reading() as db:
        values = [
            db.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 10_000]


def _finish_many(store: SqlStore) -> None:
    """Fill the tables with finished cases, and leave one at work in each way."""
    numbers = range(10**6, 10**6 + FINISHED)
    case = {
        "version": 1,
        "question": QUESTION,
        "issuer": "EXAMPLE",
        "state": CaseState.DONE,
        "attempt": 1,
        "reason": "",
    }
    times = {"opened_at": T0, "changed_at": T0, "ready_at": T0}
    sr = asdict(result_object("")) | {"position": 0, "idx": 0, "needs": []}
    item = {"position": 0, "destination": "pacs", "status": OutboxStatus.CONFIRMED, "attempts": 0, "error": ""}
    del sr["index"], sr["encoded"]
    image = asdict(instance()) | {"issuer": "EXAMPLE", "patient_id": "4711", "received_at": T0}
    image |= {"segment": 1, "generation": 1, "offset_bytes": 0}
    del image["patient"]
    link = {"used": True, "left_out": "", "quarantined": False}
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        cases: [case | times | {"id": n, "case_uuid": UUID(int=n), "patient_id": str(n)} for n in numbers],
        tables.instance: [image | {"id": n, "sop_instance_uid": f"1.3.{n}"} for n in numbers],
        tables.case_instance: [link | {"case_id": n, "instance_id": n} for n in numbers],
        tables.result_object: [sr | {"id": n, "case_id": n, "sop_instance_uid": f"2.26.{n}"} for n in numbers],
        outbox: [
            item | {"id": n, "case_id": n, "result_object_id": n, "next_at": T0, "queued_at": T0} for n in numbers
        ],
    }
    with store.unit() as unit:
        for table, values in rows.items():
            unit._db.execute(sa.insert(table), values)
        delivering(unit, 1)
        ready(unit, 2)
        unit.postpone(opened(unit, 3), T0, "")


def _plan(db: sa.Connection, statement: str, parameters: object) -> str:
    words = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
    return "\n".join(str(tuple(row)) for row in db.exec_driver_sql(words + statement, parameters))


def test_finding_work_reads_no_finished_case(sql_store: SqlStore) -> None:
    """Claim, due, leases, outbox and look-ups are each answered by an index, however many cases are finished."""
    _finish_many(sql_store)
    seen: list[tuple[str, object]] = []

    def note(_db: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    sa.event.listen(sql_store._engine, "before_cursor_execute", note)
    with sql_store.unit() as unit:
        unit._db.exec_driver_sql("ANALYZE")
        watched = [CaseState.COLLECTING, CaseState.DORMANT, CaseState.DONE, CaseState.FAILED, CaseState.HELD]
        assert len(unit.due(watched, T0, 10)) == 1
        assert unit.expired_leases(T0) == []
        assert unit.leases_of("w") == []
        assert len(unit.outbox("pacs", [OutboxStatus.WAITING], T0, 10)) == 3
        assert unit.is_own("2.26.1001500")
        assert unit.find_instance("1.2.3") is None
        assert unit.has_open_case("1.3.1001500")
        assert unit.newest_case(QUESTION, PatientKey("EXAMPLE", "1001500")) is not None
        assert not unit.has_open_association(1_001_500)
        assert unit.claim(T0, T0 + MINUTE, "w") is not None
    sa.event.remove(sql_store._engine, "before_cursor_execute", note)
    assert len(seen) == 15
    with sql_store.reading() as db:
        plans = {statement: _plan(db, statement, parameters) for statement, parameters in seen}
    whole = "SCAN cases", "SCAN outbox", "SCAN result_object", "Seq Scan on cases", "Seq Scan on outbox"
    whole += "SCAN case_instance", "Seq Scan on case_instance"
    for statement, plan in plans.items():
        for table in whole:
            assert not any(table in line and "USING" not in line for line in plan.splitlines()), f"{statement}\n{plan}"
    used = "\n".join(plans.values())
    for index in ("ix_cases_due", "ix_cases_ready", "ix_outbox_underway", "ix_cases_patient"):
        assert index in used
