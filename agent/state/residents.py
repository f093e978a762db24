"""Where received bytes lie, by segment: what is read from one, what moved, what is no longer kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from agent.core.identities import Standing
from agent.core.instance import GONE, SpoolRef
from agent.core.retention import Holder, OwedCopy, Resident
from agent.state.tables import arrival, case_instance, cases, instance, owed_copy, variant
from agent.state.work import Work

_PLACED: Final = (instance, variant)
_OF_CASE: Final = (cases.c.case_uuid, cases.c.version, cases.c.state, cases.c.changed_at)


class Residents(Work):
    """Rows of instances and variants, seen from the spool."""

    def residents(self, segment: int, generation: int, *, to_change: bool = False) -> Sequence[Resident]:
        """What is read from one use of a segment, in order of place; `to_change` keeps its cases until the unit ends.

        What counts of several objects under one UID and what waits to are held by the same versions.
        """
        found = {(offset, False): list[Holder]() for offset in self._offsets(instance, segment, generation)}
        found |= {(offset, True): list[Holder]() for offset in self._waiting(segment, generation)}
        for row in self._holders(instance, segment, generation, to_change):
            found[row.offset_bytes, False].append(_holder_of(row))
        for row in self._holders(variant, segment, generation, to_change):
            if (row.offset_bytes, True) in found:
                found[row.offset_bytes, True].append(_holder_of(row))
        idle = set(self._offsets(variant, segment, generation)) - {offset for offset, _ in found}
        found |= {(offset, False): [] for offset in idle}
        read = [
            Resident(SpoolRef(segment, generation, offset), tuple(found[offset, waits]), waits)
            for offset, waits in sorted(found)
        ]
        owed = [
            Resident(SpoolRef(segment, generation, offset), awaits_copy=True)
            for offset in self._offsets(owed_copy, segment, generation)
        ]
        return sorted([*owed, *read], key=lambda one: one.ref)

    def _offsets(self, table: sa.Table, segment: int, generation: int) -> Sequence[int]:
        return (
            self._reads.execute(sa.select(table.c.offset_bytes).where(*_in(table, segment, generation))).scalars().all()
        )

    def _waiting(self, segment: int, generation: int) -> Sequence[int]:
        here = (*_in(variant, segment, generation), variant.c.standing == Standing.WAITING)
        return self._reads.execute(sa.select(variant.c.offset_bytes).where(*here)).scalars().all()

    def _holders(self, table: sa.Table, segment: int, generation: int, to_change: bool) -> Sequence[sa.Row[Any]]:
        query: sa.Select[Any] = sa.select(table.c.offset_bytes, *_OF_CASE)
        known = (
            table
            if table is instance
            else table.join(instance, instance.c.sop_instance_uid == table.c.sop_instance_uid)
        )
        joined = known.join(case_instance, case_instance.c.instance_id == instance.c.id)
        query = query.select_from(joined.join(cases, cases.c.id == case_instance.c.case_id))
        query = query.where(*_in(table, segment, generation)).order_by(table.c.offset_bytes, cases.c.id)
        return self._reads.execute(query.with_for_update(of=cases) if to_change else query).all()

    def move_bytes(self, places: Mapping[SpoolRef, SpoolRef]) -> None:
        """Say where bytes lie from now on; what lies elsewhere by now stays."""
        rows = [_move(before, after) for before, after in places.items()]
        for table in _PLACED if rows else ():
            self._db.execute(_MOVED[table.name], rows)

    def forget_bytes(self, refs: Collection[SpoolRef]) -> None:
        """Say that bytes are no longer kept."""
        self.move_bytes(dict.fromkeys(refs, GONE))

    def owe_copy(self, ref: SpoolRef, reason: str, at: datetime, *, is_unread: bool = False) -> None:
        """Note that a record is to be copied into quarantine later."""
        self._add(owed_copy, **_place(ref), reason=reason, since=at, is_unread=is_unread)

    def owed_copies(self) -> Sequence[OwedCopy]:
        """Every record that is to be copied, the longest owed first."""
        rows = self._reads.execute(sa.select(owed_copy).order_by(owed_copy.c.since, *owed_copy.primary_key.columns))
        return [
            OwedCopy(
                SpoolRef(row.segment, row.generation, row.offset_bytes),
                row.reason,
                row.since,
                row.until_bytes,
                row.is_unread,
            )
            for row in rows
        ]

    def settle_copy(self, ref: SpoolRef) -> None:
        """Note that a record was copied."""
        self._db.execute(sa.delete(owed_copy).where(*_at(owed_copy, ref)))

    def bound_hidden(self, ref: SpoolRef, until: int) -> None:
        """Note at which offset the next record begins that was found behind a hidden place, which is owed."""
        self._db.execute(sa.update(owed_copy).where(*_at(owed_copy, ref)).values(until_bytes=until))

    def give_up_copy(self, ref: SpoolRef, words: str) -> bool:
        """Note that a record is owed no more, and why beside the reason of its end; return whether it was."""
        self._later.write()
        if not self._db.execute(sa.delete(owed_copy).where(*_at(owed_copy, ref))).rowcount:
            return False
        there = sa.and_(*_at(arrival, ref))
        for ending, reason in self._db.execute(sa.select(arrival.c.ending, arrival.c.reason).where(there)).all():
            said = f"{reason}; {words}"
            self._tally.rewrite_arrivals(there, ending, said)
            self._db.execute(sa.update(arrival).where(there).values(reason=said))
        return True

    def take_back(self, ref: SpoolRef) -> bool:
        """Forget the end of a record that is owed, and that it is; return whether it was."""
        self._later.write()
        if not self._db.execute(sa.delete(owed_copy).where(*_at(owed_copy, ref))).rowcount:
            return False
        gone = sa.delete(arrival).where(*_at(arrival, ref)).returning(arrival.c.ending, arrival.c.reason)
        for ending, reason in self._db.execute(gone):
            self._tally.add("arrivals", ending, reason, -1)
        return True


def count_owed(connection: sa.Connection) -> int:
    """Count the records that are to be copied into quarantine."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(owed_copy)).scalar_one())


def _place(ref: SpoolRef) -> dict[str, int]:
    return {"segment": ref.segment, "generation": ref.generation, "offset_bytes": ref.offset}


def _at(table: sa.Table, ref: SpoolRef) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(table.c[name] == value for name, value in _place(ref).items())


def _in(table: sa.Table, segment: Any, generation: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.segment == segment, table.c.generation == generation


def _holder_of(row: sa.Row[Any]) -> Holder:
    return Holder(row.case_uuid, row.version, row.state, row.changed_at)


def _move(before: SpoolRef, after: SpoolRef) -> dict[str, int]:
    was = {"of_segment": before.segment, "of_generation": before.generation, "of_offset": before.offset}
    return {**was, **_place(after)}


def _moving(table: sa.Table) -> sa.Update:
    there = (*_in(table, sa.bindparam("of_segment"), sa.bindparam("of_generation")),)
    there = (*there, table.c.offset_bytes == sa.bindparam("of_offset"))
    names = ("segment", "generation", "offset_bytes")
    return sa.update(table).where(*there).values({name: sa.bindparam(name) for name in names})


_MOVED: Final = {table.name: _moving(table) for table in _PLACED}
