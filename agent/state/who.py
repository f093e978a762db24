"""Who is who: keys that merges joined, and what objects and messages say of the patients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from agent.core.demographics import Demographics
from agent.core.identities import Identity, Retirement, Told, identity_digest, survivors
from agent.core.patient import PatientKey
from agent.core.stored import StoredInstance
from agent.state.tables import IS_UNDECIDED, alias, identity, installation, instance, study_patient, told, variant
from agent.state.types import Key
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
        return self._once(("canonical", key), lambda: self._canonical(key))

    def _canonical(self, key: PatientKey) -> PatientKey:
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
            of = {"of_patient_id": one.patient_id, "of_issuer": one.issuer}
            for row in self._connection.execute(_MERGES, of):  # merges are never put off
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
        row = self._connection.execute(_TOLD, {"of_patient_id": key.patient_id, "of_issuer": key.issuer}).one_or_none()
        return None if row is None else Told(row.birth_date, row.sex, tuple(row.names))

    def tell(self, key: PatientKey, said: Told, sent_at: datetime, control_id: str) -> None:
        """Note what a message says, if anything: of each field the newest by (sent_at, control_id), names add up."""
        if said == Told():
            return
        row = self._db.execute(sa.select(told).where(*_is(told, key))).mappings().one_or_none()
        unsaid = dict.fromkeys(column.name for column in told.c) | {"sex": "", "names": ()}
        unsaid |= {"patient_id": key.patient_id, "issuer": key.issuer}
        values: dict[str, Any] = dict(row or unsaid)
        values["names"] = sorted({*values["names"], *said.names})
        for field, value in (("birth_date", said.birth_date), ("sex", said.sex)):
            at, by = f"{field}_sent_at", f"{field}_control_id"
            known = (values[at], values[by], str(values[field]))  # of one message that says two things the greater
            if value and (known[0] is None or (sent_at, control_id, str(value)) > known):
                values |= {field: value, at: sent_at, by: control_id}
        if row is None:
            self._add(told, **values)
        else:
            self._db.execute(sa.update(told).where(*_is(told, key)).values(**values))

    def identities(self, key: PatientKey) -> Sequence[Identity]:
        """The demographics that objects gave under a key."""
        query = sa.select(identity).where(*_is(identity, key)).order_by(identity.c.digest)
        return [_identity_of(row) for row in self._db.execute(query)]

    def identity(self, key: PatientKey, demographics: Demographics) -> Identity | None:
        """One of them, None where no object gave it yet."""
        return self._once(("identity", key, demographics), lambda: self._identity(identity_digest(key, demographics)))

    def _identity(self, digest: str) -> Identity | None:
        row = self._connection.execute(_OF_DIGEST, {"of_digest": digest}).one_or_none()
        return None if row is None else _identity_of(row)

    def is_alone(self, key: PatientKey) -> bool:
        """Whether a key names one person, whom no merge, study, ruling or correction joins to anyone."""
        of = {"of_patient_id": key.patient_id, "of_issuer": key.issuer}
        return bool(self._connection.execute(_ALONE, of).scalar_one())

    def note_identity(self, key: PatientKey, demographics: Demographics, at: datetime) -> bool:
        """Note one; return whether it was new."""
        known = ("identity", key, demographics)
        if self._known.get(known) is not None:
            return False
        self._known.pop(known, None)
        if self._insert_identity(key, demographics, at):
            self._known[known] = Identity(key, demographics, at)
            return True
        return False

    def _insert_identity(self, key: PatientKey, demographics: Demographics, at: datetime) -> bool:
        return self._is_new_apart(
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
        noted, barred = ("study", study_instance_uid, key), ("barred", study_instance_uid, key)
        if noted in self._known:
            return False
        row = {"study_instance_uid": study_instance_uid, "patient_id": key.patient_id, "issuer": key.issuer}
        is_new = self._is_new_apart(study_patient, **row, barred="")
        self._known[noted] = True
        if is_new:
            self._known[barred] = ""
        return is_new

    def bar_study(self, study_instance_uid: str, key: PatientKey, reason: str) -> None:
        """Leave out a study's images under a key, those that come later too."""
        this = (study_patient.c.study_instance_uid == study_instance_uid, *_is(study_patient, key))
        self._db.execute(sa.update(study_patient).where(*this).values(barred=reason))

    def barred_study(self, study_instance_uid: str, key: PatientKey) -> str:
        """Why a study's images under a key are left out; empty: they are not."""
        of = {"of_study": study_instance_uid, "of_patient_id": key.patient_id, "of_issuer": key.issuer}
        barred = ("barred", study_instance_uid, key)
        return self._once(barred, lambda: self._connection.execute(_BARRED, of).scalar_one_or_none() or "")

    def bar(self, stored: StoredInstance, reason: str) -> None:
        """Leave an instance out of every answer to come."""
        self._db.execute(sa.update(instance).where(instance.c.id == stored.id).values(barred=reason))


_PATIENT_ID: Final = sa.bindparam("of_patient_id", type_=Key)
_ISSUER: Final = sa.bindparam("of_issuer", type_=Key)


def _of(table: sa.FromClause, prefix: str = "") -> sa.ColumnElement[bool]:
    """Say that a row names the patient who is asked about."""
    return sa.and_(table.c[f"{prefix}patient_id"] == _PATIENT_ID, table.c[f"{prefix}issuer"] == _ISSUER)


def _select_alone() -> sa.Select[tuple[bool]]:
    """Ask in one statement what `is_alone` says; the first condition that does not hold ends it."""
    persons = sa.select(sa.func.count()).select_from(identity).where(_of(identity)).scalar_subquery()
    ruled = sa.or_(identity.c.moved_patient_id.is_not(None), identity.c.barred != "")
    mine, other = study_patient.alias("mine"), study_patient.alias("other")
    joined = sa.and_(other.c.study_instance_uid == mine.c.study_instance_uid, ~_of(other))
    against = sa.exists().where(instance.c.sop_instance_uid == variant.c.sop_instance_uid, _of(instance))
    return sa.select(
        sa.and_(
            persons == 1,
            ~sa.exists().where(_of(alias)),
            ~sa.exists().where(_of(alias, "retired_")),
            ~sa.exists().where(_of(identity), ruled),
            ~sa.exists().where(_of(mine), mine.c.barred != ""),
            ~sa.exists().where(_of(mine), joined),
            ~sa.exists().where(IS_UNDECIDED, sa.or_(_of(variant), against)),
        )
    )


_ALONE: Final = _select_alone()
_OF_DIGEST: Final = sa.select(identity).where(identity.c.digest == sa.bindparam("of_digest"))
_TOLD: Final = sa.select(told).where(_of(told))
_MERGES: Final = sa.select(alias).where(sa.or_(_of(alias, "retired_"), _of(alias)))
_BARRED: Final = sa.select(study_patient.c.barred).where(
    study_patient.c.study_instance_uid == sa.bindparam("of_study", type_=Key), _of(study_patient)
)
