"""Rows that a unit of work writes together: a database takes a hundred at once in the time of a few single ones."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from agent.core.case import Case
from agent.core.errors import StaleCase
from agent.core.instance import SpoolRef
from agent.state.inserting import insert_into
from agent.state.tables import arrival, association, case_event, case_instance, cases, instance, spool_cursor
from agent.state.tally import Tally

PLACE: Final = ("segment", "generation", "offset_bytes", "received_at")


class Later:
    """What is to be written before anyone asks for it, and at the latest when the unit ends."""

    def __init__(self, db: sa.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._moves: dict[int, tuple[Case, Case]] = {}  # as the database has it, as it is
        self._events: list[dict[str, Any]] = []
        self._instances: dict[str, dict[str, Any]] = {}  # by SOP Instance UID
        self._links: list[dict[str, Any]] = []
        self._arrivals: dict[tuple[int, int, int], dict[str, Any]] = {}
        self._cursor: dict[int, SpoolRef] = {}
        self._places: dict[int, dict[str, Any]] = {}
        self._opened: dict[str, dict[str, Any]] = {}
        self._closed: dict[str, dict[str, Any]] = {}

    def move(self, case: Case, moved: Case, event: Mapping[str, Any]) -> None:
        """Move a case that nobody else moved since it was read in this unit; its history gets a line."""
        first, _ = self._moves.get(case.id, (case, case))
        self._moves[case.id] = (first, moved)
        self._events.append(dict(event))

    def keep(self, case_id: int, row: Mapping[str, Any]) -> None:
        """Insert an instance, or move the bytes of one that is there; add it to a case."""
        uid = row["sop_instance_uid"]
        known = self._instances.get(uid)
        place = {name: row[name] for name in PLACE}
        self._instances[uid] = {**known, **place} if known else dict(row)
        self._links.append({"of_case": case_id, "uid": uid})

    def place(self, instance_id: int, place: Mapping[str, Any]) -> None:
        """Move the bytes of an instance."""
        self._places[instance_id] = {"of_id": instance_id, **place}

    def arrived(self, row: Mapping[str, Any]) -> None:
        """Insert the end of one record; the first one stands."""
        self._arrivals.setdefault((row["segment"], row["generation"], row["offset_bytes"]), dict(row))

    def advance(self, ref: SpoolRef) -> None:
        """Move the cursor of one segment."""
        self._cursor[ref.segment] = ref

    def opened(self, row: Mapping[str, Any]) -> None:
        """Insert an association; one that is known stays as it is."""
        if row["id"] not in self._closed:
            self._opened.setdefault(row["id"], dict(row))

    def closed(self, row: Mapping[str, Any]) -> None:
        """Note the end of an association, whose beginning may be unknown."""
        self._closed[row["id"]] = dict(row)

    def write(self) -> None:
        """Write everything. Raises StaleCase if somebody else moved a case."""
        if any(self._all()):
            self._write(self._db.dialect.name)

    def _all(self) -> tuple[list[Any] | dict[Any, Any], ...]:
        dependent = (self._moves, self._events, self._instances, self._links)
        return *dependent, self._places, self._arrivals, self._cursor, self._opened, self._closed

    def _write(self, dialect: str) -> None:
        for before, after in self._moves.values():
            if self._db.execute(_MOVE, _moved(before, after)).rowcount == 0:
                raise StaleCase(f"case {before.id} moved on")
        self._many(sa.insert(case_event), self._events)
        self._many(_insert_instance(dialect), list(self._instances.values()))
        self._many(_link(dialect), self._links)
        self._many(_PLACE, list(self._places.values()))
        self._insert_arrivals(dialect)
        cursor = [{"segment": n, "generation": r.generation, "offset_bytes": r.offset} for n, r in self._cursor.items()]
        self._many(_set_cursor(dialect), cursor)
        self._many(_open(dialect), list(self._opened.values()))
        self._many(_close(dialect), list(self._closed.values()))
        for written in self._all():
            written.clear()

    def _insert_arrivals(self, dialect: str) -> None:
        rows = list(self._arrivals.values())
        for ending, reason in self._db.execute(_insert_arrival(dialect), rows) if rows else ():
            self._tally.add("arrivals", ending, reason)

    def _many(self, statement: sa.Executable, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._db.execute(statement, rows)


_MOVE = (
    sa.update(cases)
    .where(
        cases.c.id == sa.bindparam("of_id"),
        cases.c.state == sa.bindparam("of_state", type_=cases.c.state.type),
        cases.c.attempt == sa.bindparam("of_attempt"),
        cases.c.changed_at == sa.bindparam("of_changed_at", type_=cases.c.changed_at.type),
        cases.c.revision == sa.bindparam("of_revision"),
    )
    .values({name: sa.bindparam(name) for name in ("state", "changed_at", "due_at", "ready_at", "reason")})
)


_PLACE = (
    sa.update(instance)
    .where(instance.c.id == sa.bindparam("of_id"))
    .values({name: sa.bindparam(name) for name in ("segment", "generation", "offset_bytes")})
)


def _moved(before: Case, after: Case) -> dict[str, Any]:
    same = {"of_id": before.id, "of_state": before.state, "of_attempt": before.attempt}
    to = {"state": after.state, "changed_at": after.changed_at, "due_at": after.due_at, "ready_at": after.ready_at}
    return {**same, "of_changed_at": before.changed_at, "of_revision": before.revision, **to, "reason": after.reason}


@cache
def _insert_instance(dialect: str) -> sa.Executable:
    insert = insert_into(dialect, instance)
    place = {name: insert.excluded[name] for name in PLACE}
    return insert.on_conflict_do_update(index_elements=["sop_instance_uid"], set_=place)


@cache
def _link(dialect: str) -> sa.Executable:
    names = ["case_id", "instance_id", "used", "left_out", "quarantined"]
    of_case = sa.bindparam("of_case", type_=case_instance.c.case_id.type)
    one = sa.select(of_case, instance.c.id, sa.false(), sa.literal_column("''"), sa.false())
    one = one.where(instance.c.sop_instance_uid == sa.bindparam("uid", type_=instance.c.sop_instance_uid.type))
    return insert_into(dialect, case_instance).from_select(names, one).on_conflict_do_nothing()


@cache
def _insert_arrival(dialect: str) -> sa.Executable:
    return insert_into(dialect, arrival).on_conflict_do_nothing().returning(arrival.c.ending, arrival.c.reason)


@cache
def _set_cursor(dialect: str) -> sa.Executable:
    insert = insert_into(dialect, spool_cursor)
    place = {name: insert.excluded[name] for name in ("generation", "offset_bytes")}
    return insert.on_conflict_do_update(index_elements=["segment"], set_=place)


@cache
def _open(dialect: str) -> sa.Executable:
    return insert_into(dialect, association).on_conflict_do_nothing()


@cache
def _close(dialect: str) -> sa.Executable:
    insert = insert_into(dialect, association)
    return insert.on_conflict_do_update(index_elements=["id"], set_={"closed_at": insert.excluded.closed_at})
