"""Instances: which belong to a version, and what became of them there."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.demographics import Demographics
from agent.core.instance import Arrival, End, Instance, SpoolRef, Traits
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance
from agent.state.arrivals import Arrivals
from agent.state.cases import Cases
from agent.state.tables import IS_OPEN, arrival, association, case_instance, cases, instance, result_object
from agent.state.who import WhoIsWho

AROUND: Final = timedelta(days=1)  # damaged images may come before the first good one opens their case
_COMPOSED: Final = ("patient", "demographics", "traits")
_OF_TRAITS: Final = tuple(f.name for f in fields(Traits))
_SAME_NAMED: Final = tuple(f.name for f in fields(Instance) if f.name not in _COMPOSED)

_OF_UID: Final = sa.select(instance).where(instance.c.sop_instance_uid == sa.bindparam("of_uid"))
_UIDS: Final = sa.bindparam("of_uids", expanding=True, type_=instance.c.sop_instance_uid.type)
_OF_UIDS: Final = sa.select(instance).where(instance.c.sop_instance_uid.in_(_UIDS))
_OWN: Final = sa.select(result_object.c.sop_instance_uid).where(result_object.c.sop_instance_uid.in_(_UIDS))


def _stored(row: sa.Row[Any]) -> StoredInstance:
    values = row._mapping
    header = Instance(
        patient=PatientKey(row.issuer, row.patient_id),
        demographics=Demographics(row.patient_name, row.birth_date, row.sex),
        traits=traits_of(row.traits),
        **{name: values[name] for name in _SAME_NAMED},
    )
    return StoredInstance(row.id, header, SpoolRef(row.segment, row.generation, row.offset_bytes), row.received_at)


def traits_of(raw: Mapping[str, Any]) -> Traits:
    """Read traits from JSON, which knows no tuples."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    return Traits(**values)


def columns_of(header: Instance) -> dict[str, Any]:
    """Return what the row of an instance holds of its header."""
    said = header.demographics
    return {
        **{name: getattr(header, name) for name in _SAME_NAMED},
        "issuer": header.patient.issuer,
        "patient_id": header.patient.patient_id,
        "patient_name": said.name,
        "birth_date": said.birth_date,
        "sex": said.sex,
        "traits": {name: getattr(header.traits, name) for name in _OF_TRAITS},
    }


class Instances(Arrivals, Cases, WhoIsWho):
    """Instances of cases, and the versions they belong to."""

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        """The instance of a case under this UID."""
        return self._once(("instance", sop_instance_uid), lambda: self._find_instance(sop_instance_uid))

    def _find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        row = self._reads.execute(_OF_UID, {"of_uid": sop_instance_uid}).one_or_none()
        return None if row is None else _stored(row)

    def expect(self, sop_instance_uids: Sequence[str]) -> None:
        """Look instances up together, and result objects: what is asked about them next is known then."""
        uids = [uid for uid in sop_instance_uids if uid]
        found = self._reads.execute(_OF_UIDS, {"of_uids": uids}).all() if uids else []
        self._known |= {("instance", uid): None for uid in uids}
        self._known |= {("instance", row.sop_instance_uid): _stored(row) for row in found}
        own = set(self._connection.execute(_OWN, {"of_uids": uids}).scalars()) if uids else set()
        self._known |= {("own", uid): uid in own for uid in uids}

    def has_open_case(self, sop_instance_uid: str) -> bool:
        """Whether a case of which a version is not CLOSED, answered or not, holds the instance under this UID."""
        open_one = cases.alias("open_one")
        holding = (
            sa.exists()
            .where(instance.c.sop_instance_uid == sop_instance_uid, case_instance.c.instance_id == instance.c.id)
            .where(cases.c.id == case_instance.c.case_id, open_one.c.case_uuid == cases.c.case_uuid)
            .where(open_one.c.state != CaseState.CLOSED)
        )
        return bool(self._reads.execute(sa.select(holding)).scalar_one())

    def open_version(self, previous: Case, at: datetime) -> Case:
        """Open version n+1 of a case, COLLECTING, with those instances of version n that are not quarantined.

        Raises StaleCase if it is open already.
        """
        db = self._db
        case = self._open(previous.case_uuid, previous.version + 1, previous.question, previous.patient, at)
        kept = sa.select(
            sa.literal(case.id), case_instance.c.instance_id, sa.literal(False), sa.literal(""), sa.literal(False)
        ).where(case_instance.c.case_id == previous.id, case_instance.c.quarantined.is_(False))
        names = ["case_id", "instance_id", "used", "left_out", "quarantined"]
        db.execute(sa.insert(case_instance).from_select(names, kept))
        return case

    def add_instance(self, case: Case, instance: Instance, arrival: Arrival, quiet_until: datetime) -> Case:
        """Add an instance to a version: row, arrival and INSTANCE_STORED together; due at `quiet_until`.

        The event happened when the record was received. An instance that is known already has its bytes, from now
        on, where they arrived last.
        """
        moved = self._apply_later(case, CaseEvent.INSTANCE_STORED, arrival.received_at, quiet_until)
        self.arrived(arrival)
        ref = arrival.ref
        place = {"segment": ref.segment, "generation": ref.generation, "offset_bytes": ref.offset}
        self._later.keep(moved.id, {**columns_of(instance), **place, "received_at": arrival.received_at})
        self._known.pop(("instance", instance.sop_instance_uid), None)
        return moved

    def instances(self, case_id: int) -> Sequence[StoredInstance]:
        """The instances of a version, in order of arrival."""
        query = (
            sa.select(instance)
            .join(case_instance, case_instance.c.instance_id == instance.c.id)
            .where(case_instance.c.case_id == case_id)
            .order_by(instance.c.received_at, instance.c.id)
        )
        return [_stored(row) for row in self._reads.execute(query)]

    def damaged(self, case: Case) -> Sequence[Arrival]:
        """What arrived of the patient around this episode and could not be read at all, in order of arrival.

        Nothing of a UID under which an instance of the patient is there.
        """
        first = sa.select(cases.c.opened_at).where(cases.c.case_uuid == case.case_uuid, cases.c.version == 1)
        since = self._db.execute(first).scalar_one() - AROUND
        theirs = [
            sa.and_(arrival.c.patient_id == key.patient_id, arrival.c.issuer == key.issuer)
            for key in self.kin(case.patient)
        ]
        unreadable = (arrival.c.ending == End.QUARANTINED, arrival.c.received_at >= since)
        here = sa.exists().where(instance.c.sop_instance_uid == arrival.c.sop_instance_uid)
        return self._arrivals(sa.or_(*theirs), *unreadable, ~here)

    def place(self, stored: StoredInstance, ref: SpoolRef) -> None:
        """Say that the bytes of an instance are, from now on, where they arrived again."""
        place = {"segment": ref.segment, "generation": ref.generation, "offset_bytes": ref.offset}
        self._later.place(stored.id, place)
        self._known.pop(("instance", stored.instance.sop_instance_uid), None)

    def has_open_association(self, case_id: int) -> bool:
        """Whether an association that brought an instance of this version is still open."""
        bringing = (
            sa.exists()
            .where(case_instance.c.case_id == case_id, case_instance.c.instance_id == instance.c.id)
            .where(instance.c.sop_instance_uid == arrival.c.sop_instance_uid)
            .where(arrival.c.association_id == association.c.id, IS_OPEN)
        )
        return bool(self._reads.execute(sa.select(bringing)).scalar_one())

    def mark_left_out(self, case: Case, stored: StoredInstance, reason: str, *, quarantined: bool) -> None:
        """Say that a version does not use an instance; a quarantined one also changes its arrivals' end.

        Raises StaleCase.
        """
        self._fence(case)
        marks = {"used": False, "left_out": reason, "quarantined": quarantined}
        marks["damaged_sha256"] = stored.instance.sha256 if quarantined else ""
        this = (case_instance.c.case_id == case.id, case_instance.c.instance_id == stored.id)
        self._db.execute(sa.update(case_instance).where(*this).values(**marks))
        if quarantined:
            self._quarantine(stored.instance.sop_instance_uid, reason)

    def mark_used(self, case: Case, sop_instance_uids: Sequence[str]) -> None:
        """Say which instances the answer of this version rests on; the others are unused. Raises StaleCase."""
        self._fence(case)
        mine = sa.update(case_instance).where(case_instance.c.case_id == case.id)
        self._db.execute(mine.values(used=False))
        ids = sa.select(instance.c.id).where(instance.c.sop_instance_uid.in_(sop_instance_uids))
        used = mine.where(case_instance.c.instance_id.in_(ids))
        self._db.execute(used.values(used=True, left_out="", quarantined=False))
