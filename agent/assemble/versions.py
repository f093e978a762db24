"""Which version of a case takes what is new: the one that waits, the next one, or a new case's first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from agent.core.case import ANSWERED, Case, CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind
from agent.core.patient import PatientKey
from agent.core.ports import StoredInstance, Unit
from agent.core.withdrawal import withdrawal

UNDER_WAY: Final = frozenset({CaseState.RUNNING, CaseState.DELIVERING})
HELD_BACK: Final = "an open contradiction: nothing more of this version is sent"
NOTHING_LEFT: Final = "it has no images"
NOT_REJECTED: Final = "it has no images; what was sent of it is not rejected from here"
REJECTED: Final = "it has no images: Key Objects reject what was sent of it"
STRANDED: Final = (
    "A result was sent that rests on images which are another patient's: have it rejected in the PACS, then say"
    " --accept."
)
STRANDED_REJECTED: Final = (
    "A result was sent that rests on images which are another patient's. Say --accept, and Key Objects reject it at"
    " {names}. Whoever else has it: have it rejected there."
)
NOT_OF_IDENTITY: Final = frozenset({ConflictKind.LATERALITY, ConflictKind.STRANDED})
"""Conflicts that do not follow from who is who, and stay until somebody decides or who found them looks again."""
MERGED: Final = "who is who was told or decided: another version goes on"
MOVED: Final = "images changed hands: who is who was told or decided"


@dataclass(frozen=True)
class Versions:
    """Opens, moves, holds and releases the versions of patients' cases."""

    quiet: timedelta
    episode: timedelta
    now: Callable[[], datetime]
    new_case_uuid: Callable[[], UUID]
    rejecting: tuple[str, ...] = ()  # destinations that take rejections of earlier objects

    def taking(self, unit: Unit, question: str, patient: PatientKey) -> Case:
        """Return the version that takes an image now."""
        now = self.now()
        newest = unit.newest_case(question, patient)
        if newest is not None and newest.state is CaseState.HELD:
            return newest
        if newest is None or now - newest.changed_at > self.episode or _is_over(newest):
            return unit.open_case(question, patient, now, self.new_case_uuid())
        return unit.open_version(newest, now) if newest.state in {*ANSWERED, CaseState.CLOSED} else newest

    def hold(self, unit: Unit, head: Case, conflicts: Sequence[Conflict]) -> None:
        """Keep a patient's newest version for a person; what is on its way out stops."""
        stands = self.stands(unit, head)
        self.stop_earlier(unit, head, HELD_BACK)
        if head.state is CaseState.HELD:
            if list(unit.conflicts(head.id)) != list(conflicts):
                unit.hold(head, conflicts, self.now())
        elif head.state is CaseState.DELIVERING:
            closed = unit.withdraw(head, self.now(), HELD_BACK)
            unit.hold(unit.open_version(closed, self.now()), conflicts, self.now())
        elif head.state in (CaseState.DONE, CaseState.FAILED, CaseState.CLOSED) and stands:
            unit.hold(unit.open_version(head, self.now()), conflicts, self.now())
        elif head.state is not CaseState.CLOSED:
            unit.hold(head, conflicts, self.now())

    def stands(self, unit: Unit, head: Case) -> bool:
        """Whether anything of a case is still said: a newest version that was withdrawn leaves it to one before."""
        return head.state is not CaseState.CLOSED or unit.predecessor(head) is not None

    def stop_earlier(self, unit: Unit, head: Case, reason: str) -> None:
        """Withdraw what is still under way of all versions before this one: what stops this one stops them."""
        for earlier in unit.versions(head):
            if earlier.version < head.version and earlier.state in {CaseState.READY, *UNDER_WAY}:
                unit.withdraw(earlier, self.now(), reason)

    def settle(self, unit: Unit, head: Case, conflicts: Sequence[Conflict], reason: str) -> None:
        """Hold a version while there are conflicts, and release it when there are none any more.

        A contradiction between images and clinical facts is not ours to end: who found it looks again.
        """
        kept = unit.conflicts(head.id) if head.state is CaseState.HELD else []
        of_facts = [conflict for conflict in kept if _is_open(unit, conflict)]
        if conflicts or of_facts:
            self.hold(unit, head, [*conflicts, *of_facts])
        elif kept and not unit.instances(head.id):
            self._end_empty(unit, head, reason)
        elif kept:
            unit.apply(head, CaseEvent.RESOLVED, self.now(), reason=reason, due_at=self.now())

    def hand_over(self, unit: Unit, head: Case, patient: PatientKey) -> None:
        """Give a whole case to another patient. What is under way stops, and the next version goes on under the new.

        One without images is there to have something rejected, and goes on with that where a destination takes it.
        """
        self.stop_earlier(unit, head, MERGED)
        if head.state in UNDER_WAY:
            head = unit.withdraw(head, self.now(), MERGED)
        if head.state in {*ANSWERED, CaseState.CLOSED}:
            head = unit.open_version_for(head, patient, self.now())
        else:
            head = unit.rekey(head, patient, self.now(), MERGED)
        if self.rejecting and head.state is not CaseState.HELD and not unit.instances(head.id):
            self._end_empty(unit, head)

    def add(self, unit: Unit, question: str, stored: StoredInstance, patient: PatientKey) -> UUID:
        """Give a known instance to a patient's case, and return which one that is."""
        target = self.taking(unit, question, patient)
        unit.link(target, stored)
        unit.apply(target, CaseEvent.INSTANCE_STORED, self.now(), due_at=self.now() + self.quiet, reason=MOVED)
        return target.case_uuid

    def move(self, unit: Unit, head: Case, leaving: Iterable[tuple[StoredInstance, PatientKey]]) -> None:
        """Give some instances of a case to the cases of other patients; a case of which nothing is left is absorbed."""
        self.stop_earlier(unit, head, MOVED)
        gone = list(leaving)
        is_all, is_merged = len(gone) == len(unit.instances(head.id)), unit.canonical(head.patient) != head.patient
        targets = {self.add(unit, head.question, stored, patient) for stored, patient in gone}
        if is_all and is_merged:
            if head.state not in (CaseState.DONE, CaseState.CLOSED):
                unit.withdraw(head, self.now(), MERGED)
            unit.absorb(head, min(targets))
            return
        if head.state in UNDER_WAY:
            head = unit.withdraw(head, self.now(), MOVED)
        if head.state in {*ANSWERED, CaseState.CLOSED}:
            head = unit.open_version(head, self.now())
        for stored, _ in gone:
            unit.unlink(head, stored)
        if is_all:
            self._end_empty(unit, head)
        elif head.state is not CaseState.HELD:
            unit.apply(head, CaseEvent.FACTS_CHANGED, self.now(), due_at=self.now(), reason=MOVED)

    def _end_empty(self, unit: Unit, head: Case, reason: str = REJECTED) -> None:
        """A case all of whose images are gone: if it was answered, a person must see to that answer.

        Once she has, the version goes on to reject it where a destination takes that.
        """
        said = STRANDED_REJECTED.format(names=", ".join(self.rejecting)) if self.rejecting else STRANDED
        stranded = Conflict(ConflictKind.STRANDED, (str(head.case_uuid), str(head.version)), said)
        if unit.superseded(head) is None:
            unit.withdraw(head, self.now(), NOTHING_LEFT)
        elif unit.decision(stranded.id) is None:
            unit.hold(head, [stranded], self.now())
        elif self.rejecting:
            self._reject(unit, head, reason)
        else:
            unit.withdraw(head, self.now(), NOT_REJECTED)

    def _reject(self, unit: Unit, head: Case, reason: str) -> None:
        """Hand a version to the workers that says nothing but that what was sent before is not to be used."""
        event = CaseEvent.RESOLVED if head.state is CaseState.HELD else CaseEvent.FACTS_CHANGED
        collecting = unit.apply(head, event, self.now(), reason=reason)
        unit.save_findings(collecting, withdrawal(self.now()))
        unit.apply(collecting, CaseEvent.COMPLETE, self.now(), reason=REJECTED)


def _is_over(newest: Case) -> bool:
    return newest.state is CaseState.CLOSED and newest.version == 1


def _is_open(unit: Unit, conflict: Conflict) -> bool:
    return conflict.kind in NOT_OF_IDENTITY and unit.decision(conflict.id) is None
