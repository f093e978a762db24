"""Who is who: keys that merges joined, and what objects and messages say of the patients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from agent.core.demographics import Demographics
from agent.core.identities import Identity, Retirement, Told, identity_digest, survivors
from agent.core.patient import PatientKey
from agent.core.stored import StoredInstance
from agent.state.tables import alias, identity, installation, instance, study_patient, told
from agent.state.work import Work


def _is(table: sa.Table, key: PatientKey) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.patient_id == key.patient_id, table.c.issuer == key.issuer


def _identity_of(row: sa.Row[Any]) -> Identity:
    return Identity(
        PatientKey(row.issuer, row.patient_id),
        Demographics(row.patient_name, row.birth_date, row.sex),
        row.seen_at,
        None if row.moved_patient_id is None else PatientKey(row.moved_issuer, row.moved_patient_id),
        row.barred,
    )


class WhoIsWho(Work):
    """Rows about patients, none of which is ever changed by the order in which they came."""

    def alone(self) -> None:
        """Let nobody else who asks for it decide on identity until this unit ends. SQLite has one writer anyway."""
        self._db.execute(sa.select(installation.c.id).with_for_update())

    def canonical(self, key: PatientKey) -> PatientKey:
        """The patient that a key stands for now, after all merges."""
        edges = self._edges(key)
        return survivors(edges).get(key, key) if edges else key

    def kin(self, key: PatientKey) -> Sequence[PatientKey]:
        """Every key that any merge ever joined to this one, itself among them."""
        edges = self._edges(key)
        return sorted({key, *(edge.retired for edge in edges), *(edge.surviving for edge in edges)})

    def _edges(self, key: PatientKey) -> set[Retirement]:
        """Return every merge that has to do with a key, directly or by others."""
        edges: set[Retirement] = set()
        seen, left = {key}, [key]
        while left:
            one = left.pop()
            retired = (alias.c.retired_patient_id == one.patient_id, alias.c.retired_issuer == one.issuer)
            query = sa.select(alias).where(sa.or_(sa.and_(*retired), sa.and_(*_is(alias, one))))
            for row in self._db.execute(query):
                old = PatientKey(row.retired_issuer, row.retired_patient_id)
                new = PatientKey(row.issuer, row.patient_id)
                edges.add(Retirement(row.sent_at, row.control_id, old, new))
                left += {old, new} - seen
                seen |= {old, new}
        return edges

    def retire(self, retirement: Retirement) -> bool:
        """Note a merge; return whether it was new."""
        old, new = retirement.retired, retirement.surviving
        row = {"retired_patient_id": old.patient_id, "retired_issuer": old.issuer}
        row |= {"patient_id": new.patient_id, "issuer": new.issuer}
        return self._is_new(alias, **row, sent_at=retirement.sent_at, control_id=retirement.control_id)

    def told(self, key: PatientKey) -> Told | None:
        """What HL7 messages said of a key."""
        row = self._db.execute(sa.select(told).where(*_is(told, key))).one_or_none()
        return None if row is None else Told(row.birth_date, row.sex, tuple(row.names))

    def tell(self, key: PatientKey, said: Told, sent_at: datetime, control_id: str) -> None:
        """Note what a message says: the newest by (sent_at, control_id) counts, names add up."""
        row = self._db.execute(sa.select(told).where(*_is(told, key))).one_or_none()
        newest: dict[str, Any] = {
            "birth_date": said.birth_date,
            "sex": said.sex,
            "sent_at": sent_at,
            "control_id": control_id,
        }
        if row is None:
            names = sorted(set(said.names))
            self._add(told, patient_id=key.patient_id, issuer=key.issuer, names=names, **newest)
            return
        values: dict[str, Any] = {"names": sorted({*row.names, *said.names})}
        values |= newest if (sent_at, control_id) > (row.sent_at, row.control_id) else {}
        self._db.execute(sa.update(told).where(*_is(told, key)).values(**values))

    def identities(self, key: PatientKey) -> Sequence[Identity]:
        """The demographics that objects gave under a key."""
        query = sa.select(identity).where(*_is(identity, key)).order_by(identity.c.digest)
        return [_identity_of(row) for row in self._db.execute(query)]

    def identity(self, key: PatientKey, demographics: Demographics) -> Identity | None:
        """One of them, None where no object gave it yet."""
        query = sa.select(identity).where(identity.c.digest == identity_digest(key, demographics))
        row = self._db.execute(query).one_or_none()
        return None if row is None else _identity_of(row)

    def note_identity(self, key: PatientKey, demographics: Demographics, at: datetime) -> bool:
        """Note one; return whether it was new."""
        return self._is_new(
            identity,
            digest=identity_digest(key, demographics),
            patient_id=key.patient_id,
            issuer=key.issuer,
            patient_name=demographics.name,
            birth_date=demographics.birth_date,
            sex=demographics.sex,
            seen_at=at,
            barred="",
        )

    def rule_identity(self, ruled: Identity) -> None:
        """Write what a person decided about an identity: `moved_to`, `barred`."""
        to = ruled.moved_to
        values = {"moved_patient_id": to.patient_id if to else None, "moved_issuer": to.issuer if to else None}
        update = sa.update(identity).where(identity.c.digest == ruled.digest)
        self._db.execute(update.values(**values, barred=ruled.barred))

    def study_keys(self, study_instance_uid: str) -> Sequence[PatientKey]:
        """The keys under which images of a study came."""
        query = sa.select(study_patient).where(study_patient.c.study_instance_uid == study_instance_uid)
        return sorted(PatientKey(row.issuer, row.patient_id) for row in self._db.execute(query))

    def studies_of(self, key: PatientKey) -> Sequence[str]:
        """The studies in which images came under a key."""
        query = sa.select(study_patient.c.study_instance_uid).where(*_is(study_patient, key))
        return sorted(self._db.execute(query).scalars())

    def note_study(self, study_instance_uid: str, key: PatientKey) -> bool:
        """Note that a study holds images of a key; return whether that was new."""
        row = {"study_instance_uid": study_instance_uid, "patient_id": key.patient_id, "issuer": key.issuer}
        return self._is_new(study_patient, **row, barred="")

    def bar_study(self, study_instance_uid: str, key: PatientKey, reason: str) -> None:
        """Leave out a study's images under a key, those that come later too."""
        this = (study_patient.c.study_instance_uid == study_instance_uid, *_is(study_patient, key))
        self._db.execute(sa.update(study_patient).where(*this).values(barred=reason))

    def barred_study(self, study_instance_uid: str, key: PatientKey) -> str:
        """Why a study's images under a key are left out; empty: they are not."""
        this = (study_patient.c.study_instance_uid == study_instance_uid, *_is(study_patient, key))
        return self._db.execute(sa.select(study_patient.c.barred).where(*this)).scalar_one_or_none() or ""

    def bar(self, stored: StoredInstance, reason: str) -> None:
        """Leave an instance out of every answer to come."""
        self._db.execute(sa.update(instance).where(instance.c.id == stored.id).values(barred=reason))
