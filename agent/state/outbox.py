"""The outbox: one row for each object and destination, until the destination proves that it has it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from agent.core.case import CaseState
from agent.core.errors import StaleCase
from agent.core.ports import OutboxItem, OutboxStatus, Settled
from agent.state.tables import IS_UNDERWAY, cases, commitment, outbox, result_bytes, result_object
from agent.state.types import UtcDateTime
from agent.state.work import Work

_UNDERWAY: Final = frozenset({OutboxStatus.WAITING, OutboxStatus.SENT})
_ACKNOWLEDGED: Final = frozenset({OutboxStatus.SENT, OutboxStatus.CONFIRMED})
_OF_OBJECT: Final = (
    "kind",
    "role",
    "sop_class_uid",
    "sop_instance_uid",
    "study_instance_uid",
    "series_instance_uid",
    "transfer_syntax_uid",
    "instead_of",
)
_OF_ITEM: Final = tuple(f.name for f in fields(OutboxItem) if f.name not in _OF_OBJECT)


def _select_items() -> sa.Select[Any]:
    columns = [outbox.c[name] for name in _OF_ITEM] + [result_object.c[name] for name in _OF_OBJECT]
    return sa.select(*columns).join_from(outbox, result_object, result_object.c.id == outbox.c.result_object_id)


def _item_of(row: sa.Row[Any]) -> OutboxItem:
    return OutboxItem(**row._mapping)


def _first(column: sa.Column[Any], at: datetime) -> sa.ColumnElement[Any]:
    """The moment that a column holds already, else `at`."""
    return sa.func.coalesce(column, sa.bindparam(None, at, UtcDateTime))


class Outbox(Work):
    """What is on its way."""

    def outbox(
        self, destination: str, status: Sequence[OutboxStatus], now: datetime, limit: int
    ) -> Sequence[OutboxItem]:
        """Items whose `next_at` has come: never sent ones, oldest case first, in sending order; then the least sent.

        So what a destination never answers keeps nothing else from leaving. Only of DELIVERING cases: nothing of a
        held, withdrawn or failed one leaves.
        """
        table = outbox.c
        query = (
            _select_items()
            .join(cases, cases.c.id == table.case_id)
            .where(table.destination == destination, table.status.in_(status), table.next_at <= now)
            .where(cases.c.state == CaseState.DELIVERING)
        )
        if _UNDERWAY.issuperset(status):
            query = query.where(IS_UNDERWAY)
        in_order = (table.case_id, table.position)
        fresh = self._db.execute(query.where(table.attempts == 0).order_by(*in_order).limit(limit)).all()
        again = query.where(table.attempts > 0).order_by(table.attempts, *in_order).limit(limit - len(fresh))
        return [_item_of(row) for row in (*fresh, *self._db.execute(again))]

    def outbox_of(self, case_id: int) -> Sequence[OutboxItem]:
        """All items of a version."""
        query = _select_items().where(outbox.c.case_id == case_id).order_by(outbox.c.id)
        return [_item_of(row) for row in self._db.execute(query)]

    def encoded(self, item: OutboxItem) -> bytes:
        """The Part 10 file of an item. Raises KeyError if it is gone."""
        query = (
            sa.select(result_bytes.c.encoded)
            .join(outbox, outbox.c.result_object_id == result_bytes.c.result_object_id)
            .where(outbox.c.id == item.id)
        )
        found: bytes | None = self._db.execute(query).scalar_one_or_none()
        if found is None:
            raise KeyError(item.id)
        return found

    def about_to_send(self, items: Sequence[OutboxItem], at: datetime) -> None:
        """Note, right before they leave, that a destination may see these bytes: the version's result is final now.

        It counts an attempt, which is unanswered until `settle` or `answered`. Raises StaleCase if an item is gone.
        """
        counted = {"attempts": outbox.c.attempts + 1, "unanswered": outbox.c.unanswered + 1}
        for item in items:
            self._write(item, {"tried_at": _first(outbox.c.tried_at, at), **counted})

    def answered(self, item: OutboxItem) -> None:
        """Note that the destination answered an attempt and did not keep the object; of another one it may have."""
        self._write(item, {"unanswered": outbox.c.unanswered - 1})

    def settle(
        self, item: OutboxItem, status: OutboxStatus, now: datetime, *, next_at: datetime | None = None, error: str = ""
    ) -> None:
        """Note what happened to an item. SENT and CONFIRMED say that the destination has it.

        Raises StaleCase if the item is gone.
        """
        values = {"status": status, "next_at": next_at or now, "error": error}
        if status in _ACKNOWLEDGED:
            values |= {name: _first(outbox.c[name], now) for name in ("tried_at", "stored_at")}
        self._tally.rewrite_outbox(outbox.c.id == item.id, status)
        self._write(item, values)

    def _write(self, item: OutboxItem, values: Mapping[str, Any]) -> None:
        update = sa.update(outbox).where(outbox.c.id == item.id)
        if self._db.execute(update.values(**values)).rowcount == 0:
            raise StaleCase(f"outbox item {item.id} is gone")

    def expect_commitment(self, transaction_uid: str, items: Sequence[OutboxItem], at: datetime) -> None:
        """Remember what a storage commitment request asked for."""
        for item in items:
            self._add(commitment, transaction_uid=transaction_uid, outbox_id=item.id, asked_at=at)

    def asked(self, items: Sequence[OutboxItem]) -> Mapping[int, int]:
        """How many requests for storage commitment of each item are unanswered, by its id; none: left away."""
        theirs = (commitment.c.outbox_id.in_([item.id for item in items]), commitment.c.answered_at.is_(None))
        query = sa.select(commitment.c.outbox_id, sa.func.count()).where(*theirs).group_by(commitment.c.outbox_id)
        return {row[0]: int(row[1]) for row in self._db.execute(query)}

    def underway(self) -> Mapping[str, int]:
        """How many items of DELIVERING versions are WAITING or SENT, by destination; none: left away."""
        query = sa.select(outbox.c.destination, sa.func.count()).join(cases, cases.c.id == outbox.c.case_id)
        theirs = query.where(IS_UNDERWAY, cases.c.state == CaseState.DELIVERING).group_by(outbox.c.destination)
        return {row[0]: int(row[1]) for row in self._db.execute(theirs)}

    def use_spare(self, item: OutboxItem, at: datetime) -> None:
        """Have what stands for `item` at its destination sent, if it is SPARE."""
        theirs = sa.select(result_object.c.id).where(
            result_object.c.case_id == item.case_id, result_object.c.instead_of == item.sop_instance_uid
        )
        which = sa.and_(
            outbox.c.case_id == item.case_id,
            outbox.c.destination == item.destination,
            outbox.c.status == OutboxStatus.SPARE,
            outbox.c.result_object_id.in_(theirs),
        )
        self._tally.rewrite_outbox(which, OutboxStatus.WAITING)
        self._db.execute(sa.update(outbox).where(which).values(status=OutboxStatus.WAITING, next_at=at, queued_at=at))

    def committed(
        self, transaction_uid: str, done: Collection[str], failed: Mapping[str, Settled], at: datetime
    ) -> Sequence[int]:
        """Apply a storage commitment result, by SOP Instance UID: `done` CONFIRMED, `failed` as each says.

        What a transaction says of an item counts once, and not of one that was queued again since it was asked about;
        a failure only of one that is SENT. One that stays SENT is asked about again when the time for its report is
        over. Returns the ids of the cases concerned; none where the transaction is not ours.
        """
        concerned: set[int] = set()
        mine = commitment.c.transaction_uid == transaction_uid
        asked = sa.select(commitment.c.outbox_id).where(mine)
        unanswered = set(self._db.execute(asked.where(commitment.c.answered_at.is_(None))).scalars())
        theirs = sa.select(outbox.c.case_id).where(outbox.c.id.in_(asked))
        self._db.execute(sa.select(cases.c.id).where(cases.c.id.in_(theirs)).order_by(cases.c.id).with_for_update())
        for row in self._db.execute(_select_items().where(outbox.c.id.in_(asked))).all():
            item = _item_of(row)
            concerned.add(item.case_id)
            if item.id not in unanswered or item.sop_instance_uid not in {*done, *failed}:
                continue
            answered = sa.and_(mine, commitment.c.outbox_id == item.id)
            if item.sop_instance_uid in done:
                self.settle(item, OutboxStatus.CONFIRMED, at)
            elif item.status is OutboxStatus.SENT:
                status, error = failed[item.sop_instance_uid]
                self.settle(item, status, at, next_at=item.next_at if status is item.status else at, error=error)
                if status is OutboxStatus.WAITING:  # what was asked before it is sent again says nothing of it
                    answered = commitment.c.outbox_id == item.id
            unsaid = commitment.c.answered_at.is_(None)
            self._db.execute(sa.update(commitment).where(answered, unsaid).values(answered_at=at))
        return sorted(concerned)
