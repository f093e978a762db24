"""Results: the encoded objects of a version, saved together with the outbox rows that send them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent
from agent.core.ports import OutboxStatus
from agent.core.result import Reference, ResultObject
from agent.state.cases import Cases
from agent.state.earlier import IS_OUT
from agent.state.move import check_spares, queued_as, sending_order
from agent.state.resending import anything_sent
from agent.state.tables import cases, outbox, result_bytes, result_object


class Results(Cases):
    """What the workers answer."""

    def is_own(self, sop_instance_uid: str) -> bool:
        """Whether this UID was minted here (a result object)."""
        return self._once(("own", sop_instance_uid), lambda: self._is_own(sop_instance_uid))

    def _is_own(self, sop_instance_uid: str) -> bool:
        query = sa.exists().where(result_object.c.sop_instance_uid == sop_instance_uid)
        return bool(self._reads.execute(sa.select(query)).scalar_one())

    def save_result(
        self, case: Case, at: datetime, summary: Mapping[str, Any], objects: Mapping[str, Sequence[ResultObject]]
    ) -> Case:
        """Save objects, one outbox row for each by destination, and RESULT_SAVED.

        A result of the same version that was saved before, and of which nothing was sent, is replaced.

        Raises
        ------
        StaleCase
            If the worker's attempt is over: nothing is saved.
        Permanent
            If something of this version was sent already, or a UID or role stands twice.
        """
        moved = self.apply(case, CaseEvent.RESULT_SAVED, at)
        if anything_sent(self._db, case.id):
            raise Permanent("something of this version was sent: its result cannot change")
        self._forget(case.id)
        self._keep(case.id, "summary", summary)
        ids = {
            one.sop_instance_uid: self._save(case.id, position, one)
            for position, one in enumerate(sending_order(objects.values()))
        }
        for destination, to_send in objects.items():
            check_spares(to_send)
            for position, one in enumerate(to_send):
                self._queue(case.id, destination, ids[one.sop_instance_uid], position, at, queued_as(one))
        return moved

    def keep_lineage(self, case: Case, lineage: Mapping[str, Any]) -> None:
        """Keep where the result came from as JSON, beside the summary. Raises StaleCase."""
        self._fence(case)
        self._keep(case.id, "lineage", lineage)

    def lineage(self, case_id: int) -> Mapping[str, Any]:
        """What `keep_lineage` kept; empty if nothing."""
        return self._document(case_id, "lineage")

    def _forget(self, case_id: int) -> None:
        theirs = sa.select(result_object.c.id).where(result_object.c.case_id == case_id)
        self._tally.rewrite_outbox(outbox.c.case_id == case_id, None)
        self._db.execute(sa.delete(outbox).where(outbox.c.case_id == case_id))
        self._db.execute(sa.delete(result_bytes).where(result_bytes.c.result_object_id.in_(theirs)))
        self._db.execute(sa.delete(result_object).where(result_object.c.case_id == case_id))

    def _save(self, case_id: int, position: int, one: ResultObject) -> int:
        row = {
            "case_id": case_id,
            "position": position,
            "kind": one.kind,
            "role": one.role,
            "axilla": one.axilla,
            "idx": one.index,
            "sop_class_uid": one.sop_class_uid,
            "sop_instance_uid": one.sop_instance_uid,
            "study_instance_uid": one.study_instance_uid,
            "series_instance_uid": one.series_instance_uid,
            "transfer_syntax_uid": one.transfer_syntax_uid,
            "needs": list(one.needs),
            "instead_of": one.instead_of,
        }
        saved_id = int(
            self._db.execute(sa.insert(result_object).values(**row).returning(result_object.c.id)).scalar_one()
        )
        self._db.execute(sa.insert(result_bytes).values(result_object_id=saved_id, encoded=one.encoded))
        return saved_id

    def _queue(
        self, case_id: int, destination: str, result_object_id: int, position: int, at: datetime, status: OutboxStatus
    ) -> None:
        row = {"case_id": case_id, "destination": destination, "result_object_id": result_object_id}
        fresh = {"status": status, "attempts": 0, "next_at": at, "queued_at": at, "error": ""}
        self._db.execute(sa.insert(outbox).values(**row, position=position, **fresh))
        self._tally.add("outbox", destination, status)

    def result_objects(self, case_id: int) -> Sequence[ResultObject]:
        """The objects of a version, in sending order."""
        query = (
            sa.select(result_object, result_bytes.c.encoded)
            .join(result_bytes, result_bytes.c.result_object_id == result_object.c.id)
            .where(result_object.c.case_id == case_id)
            .order_by(result_object.c.position)
        )
        return [_object_of(row) for row in self._db.execute(query)]

    def superseded(self, case: Case) -> int | None:
        """Id of the newest earlier version of which a destination has, or still may get, something; else None.

        A case that this one absorbed counts where it has no such version of its own.

        What never left, or was refused, is nobody's predecessor once it is given up; what left and was not answered
        is. What waits for a radiologist's report is not, since it gives way to the next version.
        """
        mine = sa.and_(cases.c.case_uuid == case.case_uuid, cases.c.version < case.version)
        newest = (
            sa.select(cases.c.id)
            .where(sa.or_(mine, cases.c.absorbed_by == case.case_uuid))
            .where(sa.exists().where(outbox.c.case_id == cases.c.id, IS_OUT))
            .order_by(cases.c.absorbed_by.is_not(None), cases.c.id.desc())
            .limit(1)
        )
        return self._db.execute(newest).scalar_one_or_none()

    def references(self, case_id: int) -> Mapping[str, Reference]:
        """The result objects of a version that a destination has, or still may get, by role; empty if none."""
        query = (
            sa.select(result_object)
            .join(cases, cases.c.id == result_object.c.case_id)
            .where(result_object.c.case_id == case_id)
            .where(sa.exists().where(outbox.c.result_object_id == result_object.c.id, IS_OUT))
        )
        return {
            row.role: Reference(
                row.sop_class_uid, row.sop_instance_uid, row.study_instance_uid, row.series_instance_uid
            )
            for row in self._db.execute(query)
        }

    def held_by(self, case_id: int) -> Mapping[str, frozenset[str]]:
        """Which destinations have, or still may get, each of `references`, by SOP Instance UID."""
        query = (
            sa.select(result_object.c.sop_instance_uid, outbox.c.destination)
            .join_from(outbox, result_object, result_object.c.id == outbox.c.result_object_id)
            .join(cases, cases.c.id == outbox.c.case_id)
            .where(outbox.c.case_id == case_id, IS_OUT)
        )
        found: defaultdict[str, set[str]] = defaultdict(set)
        for uid, destination in self._db.execute(query):
            found[uid].add(destination)
        return {uid: frozenset(names) for uid, names in found.items()}

    def summary(self, case_id: int) -> Mapping[str, Any]:
        """The summary saved with the result; empty before."""
        return self._document(case_id, "summary")


def _object_of(row: sa.Row[Any]) -> ResultObject:
    return ResultObject(
        kind=row.kind,
        role=row.role,
        axilla=row.axilla,
        index=row.idx,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        encoded=row.encoded,
        needs=tuple(row.needs),
        instead_of=row.instead_of,
    )
