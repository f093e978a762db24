"""What the rooms ask of the state about patients: who is who, what contradicts, what a person decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from agent.core.case import Case
from agent.core.conflict import Conflict, Decision
from agent.core.demographics import Demographics
from agent.core.identities import Identity, Retirement, Standing, Told, Variant
from agent.core.instance import Arrival, Instance
from agent.core.patient import PatientKey
from agent.core.stored import StoredInstance


class IdentityUnit(Protocol):
    """The part of a transaction that is about identity. Keys are as received unless said otherwise."""

    def alone(self) -> None:
        """Let nobody else who asks for it decide on identity until this unit ends: indexing and a person take turns."""

    def canonical(self, key: PatientKey) -> PatientKey:
        """The patient that a key stands for now, after all merges."""

    def kin(self, key: PatientKey) -> Sequence[PatientKey]:
        """Every key that any merge ever joined to this one, itself among them."""

    def retire(self, retirement: Retirement) -> bool:
        """Note a merge; return whether it was new."""

    def told(self, key: PatientKey) -> Told | None:
        """What HL7 messages said of a key."""

    def tell(self, key: PatientKey, told: Told, sent_at: datetime, control_id: str) -> None:
        """Note what a message says: the newest by (sent_at, control_id) counts, names add up."""

    def identities(self, key: PatientKey) -> Sequence[Identity]:
        """The demographics that objects gave under a key."""

    def identity(self, key: PatientKey, demographics: Demographics) -> Identity | None:
        """One of them, None where no object gave it yet."""

    def is_alone(self, key: PatientKey) -> bool:
        """Whether a key names one person, whom no merge, study, ruling or correction joins to anyone."""

    def note_identity(self, key: PatientKey, demographics: Demographics, at: datetime) -> bool:
        """Note one; return whether it was new."""

    def rule_identity(self, identity: Identity) -> None:
        """Write what a person decided about an identity: `moved_to`, `barred`."""

    def study_keys(self, study_instance_uid: str) -> Sequence[PatientKey]:
        """The keys under which images of a study came."""

    def studies_of(self, key: PatientKey) -> Sequence[str]:
        """The studies in which images came under a key."""

    def note_study(self, study_instance_uid: str, key: PatientKey) -> bool:
        """Note that a study holds images of a key; return whether that was new."""

    def bar_study(self, study_instance_uid: str, key: PatientKey, reason: str) -> None:
        """Leave out a study's images under a key, those that come later too; with an empty reason, no more."""

    def barred_study(self, study_instance_uid: str, key: PatientKey) -> str:
        """Why a study's images under a key are left out; empty: they are not."""

    def bar(self, stored: StoredInstance, reason: str) -> None:
        """Leave an instance out of every answer to come; with an empty reason, no more."""

    # several objects under one SOP Instance UID
    def is_damaged(self, sop_instance_uid: str) -> bool:
        """Whether a worker could not decode the instance under this UID."""

    def variants(self, sop_instance_uid: str) -> Sequence[Variant]:
        """The other objects that came under a UID, in order of arrival."""

    def waiting_variants(self, key: PatientKey) -> Sequence[Variant]:
        """Undecided ones that name a key, or stand against an instance of it."""

    def add_variant(self, instance: Instance, arrival: Arrival, *, other_pixels: bool) -> None:
        """Keep one; one that is known stays as it is."""

    def settle_variant(self, variant: Variant, standing: Standing) -> None:
        """Say what became of it."""

    def put_in_place(self, stored: StoredInstance, variant: Variant) -> StoredInstance:
        """Let a variant be the instance; what was it until now becomes a SUPERSEDED variant.

        What only that one said of its patient and study is forgotten.
        """

    # cases of patients
    def heads(self, patient: PatientKey) -> Sequence[Case]:
        """The newest version of each case of a patient (canonical), but for absorbed cases; the newest case last."""

    def versions(self, case: Case) -> Sequence[Case]:
        """Every version of a case, the first one first."""

    def said_in(self, case_id: int) -> Sequence[tuple[PatientKey, Demographics]]:
        """How the instances of a version name their patient, but for those that a person left out; each way once."""

    def is_disputed(self, case: Case) -> bool:
        """Whether a later version of the same case is HELD."""

    def rekey(self, case: Case, patient: PatientKey, at: datetime, reason: str) -> Case:
        """Give an unanswered version to another patient. Raises StaleCase."""

    def open_version_for(self, previous: Case, patient: PatientKey, at: datetime) -> Case:
        """Open version n+1 of a case, COLLECTING, of another patient, with the instances of version n."""

    def absorb(self, case: Case, by: UUID) -> None:
        """Note that a case is part of another now, whose next result supersedes its own."""

    def link(self, case: Case, stored: StoredInstance) -> None:
        """Add a known instance to a version."""

    def unlink(self, case: Case, stored: StoredInstance) -> None:
        """Take an instance out of a version."""

    def withdraw(self, case: Case, at: datetime, reason: str) -> Case:
        """Close a version; what it has in the outbox is never sent. Raises StaleCase, IllegalTransition."""

    def wake(self, patient: PatientKey, at: datetime) -> None:
        """Look at the patient's (canonical) newest versions again at once, those that wait and those that are done."""

    # what a person decides
    def hold(self, case: Case, conflicts: Sequence[Conflict], at: datetime) -> Case:
        """Keep a version for a person: CONFLICT_FOUND, or the new list of conflicts of one that is HELD."""

    def conflicts(self, case_id: int) -> Sequence[Conflict]:
        """What `hold` kept last."""

    def held(self) -> Sequence[Case]:
        """Every HELD version."""

    def decide(self, decision: Decision) -> None:
        """Keep a decision; a later one of the same conflict replaces it."""

    def decision(self, conflict_id: str) -> Decision | None:
        """What was decided about a conflict."""
