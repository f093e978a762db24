"""What an object that arrived does to the cases, and to what is known of who is who."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from agent.assemble.corrections import Again
from agent.assemble.judging import Judged
from agent.assemble.patients import Patients
from agent.assemble.versions import Versions
from agent.core.case import CaseState
from agent.core.errors import Rejected
from agent.core.instance import Arrival, End, Instance
from agent.core.ports import Unit

FROM_FACTS: Final = frozenset({"nsln"})
"""Questions that no image raises: their cases are opened by what becomes known, and take images from then on."""

_log = structlog.get_logger()


class Arriving:
    """Gives instance records their end, and images that are wanted their case."""

    def __init__(self, versions: Versions, patients: Patients, now: Callable[[], datetime]) -> None:
        self._versions = versions
        self._patients = patients
        self._now = now

    def arrive(self, unit: Unit, judged: Judged, read: Instance | Rejected) -> None:
        """Give an instance record its end, and an image that is wanted its case."""
        arrival = judged.arrival
        unit.arrived(arrival)
        if judged.known is not None:
            unit.place(judged.known, arrival.ref)  # where it lay before may be recycled first
        if isinstance(read, Instance) and arrival.end is End.COLLECTED:
            self._collect(unit, judged, read)
        elif isinstance(read, Instance) and judged.again in (Again.CORRECTION, Again.OTHER_PIXELS):
            unit.add_variant(read, arrival, other_pixels=judged.again is Again.OTHER_PIXELS)
            self._patients.settle(unit, [read.patient])
        elif isinstance(read, Instance) and arrival.identity:
            self._overhear(unit, read, arrival)
        if arrival.end is End.QUARANTINED:
            _log.warning("instance_quarantined", sop_instance_uid=arrival.sop_instance_uid, reason=arrival.reason)

    def _collect(self, unit: Unit, judged: Judged, read: Instance) -> None:
        if judged.replaces is not None:
            unit.add_variant(read, judged.arrival, other_pixels=True)
            newest = [one for one in unit.variants(read.sop_instance_uid) if one.ref == judged.arrival.ref]
            unit.put_in_place(judged.replaces, newest[0])
        owner, due = self._patients.owner(unit, read), self._now() + self._versions.quiet
        is_held = is_opened = False
        for scope in judged.wanting:
            if scope.question in FROM_FACTS and not unit.newest_case(scope.question, owner):
                continue
            case = self._versions.taking(unit, scope.question, owner)
            unit.add_instance(case, read, judged.arrival, due)
            is_held |= case.state is CaseState.HELD
            is_opened |= case.changed_at == case.opened_at  # what is known already may be against it
        is_news = self._note_who(unit, read, judged.arrival)
        if (is_news and is_held) or ((is_news or is_opened) and not self._patients.is_settled(unit, read)):
            self._patients.settle(unit, [read.patient])
        elif why := self._patients.barred(unit, read):
            stored = unit.find_instance(read.sop_instance_uid)
            if stored is not None:
                unit.bar(stored, why)

    def _overhear(self, unit: Unit, read: Instance, arrival: Arrival) -> None:
        """Note whose an image is that no case takes: it may contradict those that a case has."""
        if self._note_who(unit, read, arrival) and not self._patients.is_settled(unit, read):
            self._patients.settle(unit, [read.patient])

    def _note_who(self, unit: Unit, read: Instance, arrival: Arrival) -> bool:
        """Note what an image says of its patient and study; return whether that was new."""
        is_new = unit.note_identity(read.patient, read.demographics, arrival.received_at)
        return unit.note_study(read.study_instance_uid, read.patient) or is_new
