"""What the spool said: how far it was read, which associations are open, and the end of every record."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.state.tables import IS_OPEN, arrival, association, spool_cursor
from agent.state.work import Work


class Arrivals(Work):
    """Rows that follow the spool, record by record."""

    def cursor(self) -> Mapping[int, SpoolRef]:
        """Last record taken in, by segment."""
        rows = self._reads.execute(sa.select(spool_cursor))
        return {row.segment: SpoolRef(row.segment, row.generation, row.offset_bytes) for row in rows}

    def advance(self, ref: SpoolRef) -> None:
        """Move the cursor of one segment."""
        self._later.advance(ref)

    def receiver_started(self, at: datetime) -> None:
        """Close every association that was opened until then and is still open."""
        left_open = (IS_OPEN, association.c.opened_at <= at)
        self._db.execute(sa.update(association).where(*left_open).values(closed_at=at))

    def association_opened(self, association_id: str, calling_ae_title: str, at: datetime) -> None:
        """Note an association; one that is known stays as it is."""
        self._later.opened({"id": association_id, "calling_ae_title": calling_ae_title, "opened_at": at})

    def association_closed(self, association_id: str, at: datetime) -> None:
        """Note its end, also where its beginning comes later: then it never counts as open."""
        row = {"id": association_id, "calling_ae_title": "", "opened_at": at, "closed_at": at}
        self._later.closed(row)

    def place_hidden(self, ref: SpoolRef, at: datetime) -> None:
        """Close the associations that brought something of this use of a segment: an end may be hidden there."""
        self._later.write()
        there = (arrival.c.segment == ref.segment, arrival.c.generation == ref.generation)
        bringing = association.c.id.in_(sa.select(arrival.c.association_id).where(*there))
        self._db.execute(sa.update(association).where(IS_OPEN, bringing).values(closed_at=at))

    def arrived(self, arrived: Arrival) -> None:
        """Note the end of one record; saying it twice for one `ref` is harmless: the first stands."""
        self._later.arrived(
            {
                "segment": arrived.ref.segment,
                "generation": arrived.ref.generation,
                "offset_bytes": arrived.ref.offset,
                "received_at": arrived.received_at,
                "association_id": arrived.association_id,
                "sop_instance_uid": arrived.sop_instance_uid,
                "ending": arrived.end,
                "reason": arrived.reason,
                "issuer": arrived.patient.issuer if arrived.patient else None,
                "patient_id": arrived.patient.patient_id if arrived.patient else None,
                "study_instance_uid": arrived.study_instance_uid,
                "modality": arrived.modality,
                "identity": arrived.identity,
            }
        )

    def arrivals(self) -> Sequence[Arrival]:
        """Every record's end, in the order of the spool's segments."""
        return self._arrivals()

    def _arrivals(self, *which: sa.ColumnElement[bool]) -> Sequence[Arrival]:
        table = arrival.c
        order = (table.segment, table.generation, table.offset_bytes)
        return [
            Arrival(
                SpoolRef(row.segment, row.generation, row.offset_bytes),
                row.received_at,
                row.association_id,
                row.sop_instance_uid,
                row.ending,
                row.reason,
                None if row.patient_id is None else PatientKey(row.issuer, row.patient_id),
                row.study_instance_uid,
                row.modality,
                row.identity,
            )
            for row in self._reads.execute(sa.select(arrival).where(*which).order_by(*order))
        ]

    def _quarantine(self, sop_instance_uid: str, reason: str) -> None:
        """Change the end of everything that arrived as this instance; conflicts keep the reason they have."""
        self._later.write()
        theirs = (arrival.c.sop_instance_uid == sop_instance_uid, arrival.c.ending.in_([End.COLLECTED, End.DUPLICATE]))
        self._tally.rewrite_arrivals(sa.and_(*theirs), End.QUARANTINED, reason)
        self._db.execute(sa.update(arrival).where(*theirs).values(ending=End.QUARANTINED, reason=reason))
