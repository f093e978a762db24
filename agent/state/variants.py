"""Several objects under one SOP Instance UID: all are kept, one counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import sqlalchemy as sa

from agent.core.demographics import Demographics
from agent.core.identities import Standing, Variant, identity_digest
from agent.core.instance import Arrival, Instance, SpoolRef
from agent.core.patient import PatientKey
from agent.core.stored import StoredInstance
from agent.state.instances import Instances, columns_of, traits_of
from agent.state.tables import (
    IS_UNDECIDED,
    OVERHEARD,
    arrival,
    case_instance,
    identity,
    instance,
    study_patient,
    variant,
)


class Variants(Instances):
    """Objects that contradict one that was there first."""

    def is_damaged(self, sop_instance_uid: str) -> bool:
        """Whether a worker could not decode the instance under this UID as it is now."""
        damaged = (
            sa.exists()
            .where(instance.c.sop_instance_uid == sop_instance_uid, case_instance.c.instance_id == instance.c.id)
            .where(case_instance.c.quarantined.is_(True), case_instance.c.damaged_sha256 == instance.c.sha256)
        )
        return bool(self._reads.execute(sa.select(damaged)).scalar_one())

    def variants(self, sop_instance_uid: str) -> Sequence[Variant]:
        """The other objects that came under a UID, in order of arrival."""
        return self._variants(variant.c.sop_instance_uid == sop_instance_uid)

    def waiting_variants(self, key: PatientKey) -> Sequence[Variant]:
        """Undecided ones that name a key, or stand against an instance of it."""
        named = sa.and_(variant.c.patient_id == key.patient_id, variant.c.issuer == key.issuer)
        theirs = sa.and_(instance.c.patient_id == key.patient_id, instance.c.issuer == key.issuer)
        against = sa.exists().where(instance.c.sop_instance_uid == variant.c.sop_instance_uid, theirs)
        return self._variants(IS_UNDECIDED, sa.or_(named, against))

    def _variants(self, *which: sa.ColumnElement[bool]) -> list[Variant]:
        return [
            Variant(
                row.id,
                _read(row.header),
                SpoolRef(row.segment, row.generation, row.offset_bytes),
                row.received_at,
                row.other_pixels,
                row.standing,
            )
            for row in self._reads.execute(sa.select(variant).where(*which).order_by(variant.c.id))
        ]

    def add_variant(self, header: Instance, arrived: Arrival, *, other_pixels: bool) -> None:
        """Keep one, for a person; one that waits already stays as it is."""
        stored = StoredInstance(0, header, arrived.ref, arrived.received_at)
        self._keep_variant(stored, Standing.WAITING, other_pixels=other_pixels)

    def _keep_variant(self, stored: StoredInstance, standing: Standing, *, other_pixels: bool) -> None:
        header, ref = stored.instance, stored.ref
        anew = {
            "segment": ref.segment,
            "generation": ref.generation,
            "offset_bytes": ref.offset,
            "received_at": stored.received_at,
            "other_pixels": other_pixels,
            "standing": standing,
        }
        insert = self._insert(variant).values(
            sop_instance_uid=header.sop_instance_uid,
            sha256=header.sha256,
            patient_id=header.patient.patient_id,
            issuer=header.patient.issuer,
            header=_written(header),
            **anew,
        )
        known = ["sop_instance_uid", "sha256"]
        self._db.execute(insert.on_conflict_do_update(index_elements=known, set_=anew, where=~IS_UNDECIDED))

    def settle_variant(self, settled: Variant, standing: Standing) -> None:
        """Say what became of it."""
        self._db.execute(sa.update(variant).where(variant.c.id == settled.id).values(standing=standing))

    def put_in_place(self, stored: StoredInstance, chosen: Variant) -> StoredInstance:
        """Let a variant be the instance; what was it until now becomes a SUPERSEDED variant.

        What only that one said of its patient and study is forgotten.
        """
        self._db.execute(sa.delete(variant).where(variant.c.id == chosen.id))
        self._keep_variant(stored, Standing.SUPERSEDED, other_pixels=chosen.other_pixels)
        ref = chosen.ref
        place = {"segment": ref.segment, "generation": ref.generation, "offset_bytes": ref.offset}
        values = {**columns_of(chosen.instance), **place, "received_at": chosen.received_at}
        self._db.execute(sa.update(instance).where(instance.c.id == stored.id).values(**values))
        self._forget_unsaid(stored.instance)
        return StoredInstance(stored.id, chosen.instance, ref, chosen.received_at)

    def _forget_unsaid(self, header: Instance) -> None:
        """Forget what an object said of its patient and study, where no other one says it, used or not."""
        key, said = header.patient, header.demographics
        theirs = (instance.c.patient_id == key.patient_id, instance.c.issuer == key.issuer)
        same_study = sa.exists().where(*theirs, instance.c.study_instance_uid == header.study_instance_uid)
        same_person = sa.exists().where(
            *theirs,
            instance.c.patient_name == said.name,
            instance.c.birth_date.is_not_distinct_from(said.birth_date),
            instance.c.sex == said.sex,
        )
        in_study = study_patient.c.study_instance_uid == header.study_instance_uid
        of_key = (study_patient.c.patient_id == key.patient_id, study_patient.c.issuer == key.issuer)
        digest = identity_digest(key, said)
        heard = (arrival.c.patient_id == key.patient_id, arrival.c.issuer == key.issuer)
        in_it = sa.exists().where(*heard, arrival.c.study_instance_uid == header.study_instance_uid, OVERHEARD)
        says_it = sa.exists().where(*heard, arrival.c.identity == digest)
        self._db.execute(sa.delete(study_patient).where(in_study, *of_key, ~same_study, ~in_it))
        self._db.execute(sa.delete(identity).where(identity.c.digest == digest, ~same_person, ~says_it))


def _written(header: Instance) -> dict[str, Any]:
    """Return a header as JSON: dates in ISO 8601."""
    raw = asdict(header)
    raw["acquired_on"] = header.acquired_on and header.acquired_on.isoformat()
    born = header.demographics.birth_date
    raw["demographics"]["birth_date"] = born and born.isoformat()
    return raw


def _read(raw: Mapping[str, Any]) -> Instance:
    said = raw["demographics"]
    composed = {
        "patient": PatientKey(**raw["patient"]),
        "acquired_on": _day(raw["acquired_on"]),
        "demographics": Demographics(said["name"], _day(said["birth_date"]), said["sex"]),
        "traits": traits_of(raw["traits"]),
    }
    return Instance(**{**raw, **composed})


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
