"""One history: the messages of a story in some order, some of them repeated, with time and ticks between them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from agent.core.case import UNCHANGED, Case, CaseState
from agent.core.errors import StaleCase
from agent.core.instance import Instance
from agent.core.ports import OutboxStatus, Store, Unit
from agent.core.result import Kind, ResultObject
from agent.deliver.verdict import conclude
from tests.clock import Clock
from tests.fakes.instances import RECEIVED
from tests.faults.cases.oracle import Oracle, Wrong
from tests.faults.cases.person import decide
from tests.faults.cases.place import READS, Answered, Place
from tests.faults.cases.truth import Message, Story

PACS: Final = "pacs"
PAUSES: Final = (0, 0, 5, 30, 90, 1200, 4000, 20_000)  # seconds between two steps
AT_REST: Final = RECEIVED + timedelta(days=60)
MANY: Final = 1000
ROUNDS: Final = 40
MOVING: Final = frozenset({CaseState.COLLECTING, CaseState.READY, CaseState.RUNNING, CaseState.DELIVERING})

REPEATED: Final = 0.2  # share of the messages that come twice

State = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Step:
    """A message, and the chance by which it is known what happens after it."""

    message: Message
    chance: int


@dataclass
class History:
    """One run of a story."""

    place: Place
    oracle: Oracle
    sends_closed_cases: bool = False  # a defect that tests plant
    answers: dict[int, Answered] = field(default_factory=dict)  # by case id

    def run(self, order: Sequence[Step]) -> State:
        """Live through the messages, come to rest, and return what is left."""
        for step in order:
            chance = random.Random(step.chance)
            self.place.give(step.message)
            self.place.clock.advance(seconds=chance.choice(PAUSES), microseconds=1)  # no two come at one instant
            for act, share in self._acts():
                if chance.random() < share:
                    act()
        self._rest()
        self._look_at_ends()
        with self.place.store.unit() as unit:
            return self._final(unit)

    def _acts(self) -> Sequence[tuple[Callable[[], object], float]]:
        place = self.place
        return (
            (self._send, 0.3),
            (place.index, 0.6),
            (lambda: decide(place, 1), 0.3),
            (place.assembler.tick, 0.5),
            (place.claim, 0.5),
            (self._finish, 0.6),
            (self._send, 0.4),
        )

    def _rest(self) -> None:
        """Let everything end: all conflicts decided, all facts known, ticks until nothing changes."""
        before: object = None
        clock = self.place.clock
        for number in range(ROUNDS):
            if number == 1:
                clock.advance(max(AT_REST - clock(), timedelta()))
            self.place.index()
            decide(self.place, MANY)
            self.place.assembler.tick()
            self._answer_all()
            self._send()
            now = self._states()
            if number > 2 and now == before and not MOVING & {state for _, _, state in now}:
                return
            before = now
            clock.advance(hours=5)

    def _answer_all(self) -> None:
        for _ in range(MANY):
            self.place.claim()
            if self.place.at_work is None:
                return
            self._finish()

    def _states(self) -> list[tuple[int, int, CaseState]]:
        return [(case.id, case.version, case.state) for case in self._heads()]

    def _heads(self) -> list[Case]:
        with self.place.store.unit() as unit:
            return [case for patient in self.place.story.patients for case in unit.heads(patient)]

    # ── worker and courier ──

    def _finish(self) -> None:
        """Let the worker save what it computed, unless the case moved on meanwhile."""
        answered, self.place.at_work = self.place.at_work, None
        if answered is None:
            return
        case, now = answered.case, self.place.clock()
        try:
            with self.place.store.unit() as unit:
                unit.mark_used(case, [one.instance.sop_instance_uid for one in answered.used])
                unit.save_result(case, now, {}, {PACS: [_result(case)]})
        except StaleCase:
            self.oracle.looks["discarded"] += 1
            return
        self.answers[case.id] = answered
        self.oracle.at_answer(answered)

    def _send(self) -> None:
        """Let the courier send what is due."""
        with self.place.store.unit() as unit:
            due = {item.case_id for item in unit.outbox(PACS, [OutboxStatus.WAITING], self.place.clock(), MANY)}
            if self.sends_closed_cases:
                due |= {case_id for case_id in self.answers if unit.case(case_id).state is CaseState.CLOSED}
        for case_id in sorted(due):
            with self.place.store.unit() as unit:
                self._send_one(unit, case_id)

    def _send_one(self, unit: Unit, case_id: int) -> None:
        case, now = unit.lock(case_id), self.place.clock()
        items = [item for item in unit.outbox_of(case_id) if item.status is OutboxStatus.WAITING]
        unit.about_to_send(items, now)
        if items:
            self.oracle.at_send(unit, self.answers[case_id])
        for item in items:
            unit.settle(item, OutboxStatus.CONFIRMED, now)
        if case.state is CaseState.DELIVERING:
            conclude(unit, case_id, now)

    # ── the end ──

    def _look_at_ends(self) -> None:
        place, oracle = self.place, self.oracle
        with place.store.unit() as unit:
            ends = [arrival.ref for arrival in unit.arrivals()]  # type: ignore[attr-defined]  # of both stores
        expected = sum(not hasattr(one, "control_id") for one in place.spooled)
        if len(ends) != expected or len(set(ends)) != expected:
            oracle.blame(Wrong.ENDS, f"{expected} records, {len(ends)} ends")
        for case in self._heads():
            if case.state in MOVING | {CaseState.HELD, CaseState.FAILED}:
                oracle.blame(Wrong.STUCK, f"case {case.id} is {case.state}: {case.reason}")

    def _final(self, unit: Unit) -> State:
        """Return what each woman's cases hold; nothing about versions and times."""
        story, state = self.place.story, {}
        for patient in story.patients:
            for head in unit.heads(patient):
                live = _live(unit, head)
                if live is not None:
                    name = f"{story.holder(patient)} {patient.issuer}|{patient.patient_id} {head.question}"
                    state[name] = self._stands(unit, live, head)
        return state

    def _stands(self, unit: Unit, live: Case, newest: Case) -> State:
        findings = unit.findings(live.id)
        answered = self.answers.get(live.id)
        eligibility = findings.get("eligibility", {})
        return {
            "state": live.state.value,
            "under": f"{answered.case.patient.issuer}|{answered.case.patient.patient_id}" if answered else "",
            "images": sorted(_named(one.instance) for one in unit.instances(newest.id)),
            "used": sorted(_named(one.instance) for one in answered.used) if answered else [],
            "reason": eligibility.get("reason") if answered else live.reason,
            "axillae": [[one["side"], one["reason"]] for one in eligibility.get("axillae", ())],
            "facts": _facts(answered) if answered and answered.used_for else {},
        }


def _facts(answered: Answered) -> Mapping[str, str]:
    return {name: str(fact.value) for name, fact in answered.asked.facts.facts.items() if name in READS}


def _live(unit: Unit, head: Case) -> Case | None:
    """The version that stands: one that would have said the same again leaves it to the one before."""
    if head.state is not CaseState.CLOSED:
        return head
    return unit.predecessor(head) if head.reason == UNCHANGED else None


def _named(instance: Instance) -> tuple[str, ...]:
    key = instance.patient
    taken = str(instance.acquired_on)
    return (
        instance.sop_instance_uid[-8:],
        instance.pixels_sha256[:8],
        instance.laterality,
        taken,
        f"{key.issuer}|{key.patient_id}",
        instance.barred,
    )


def _result(case: Case) -> ResultObject:
    uid = f"2.25.{case.id}.{case.attempt}"
    return ResultObject(Kind.SR, "sr:L", "L", 0, "1.2.840.10008.5.1.4.1.1.88.34", uid, "1.2", "1.2.9", "1.2", b"DICM")


def ordered(story: Story, seed: int) -> tuple[Step, ...]:
    """Return the messages in an order of chance, some repeated; the clinical database learns things in their order."""
    chance = random.Random(seed)
    messages = list(story.messages)
    messages += [one for one in messages if not isinstance(one, tuple) and chance.random() < REPEATED]
    chance.shuffle(messages)
    rows = iter(sorted((one for one in messages if isinstance(one, tuple)), key=lambda row: row[1]))
    in_order = [next(rows) if isinstance(one, tuple) else one for one in messages]
    return tuple(Step(one, seed * MANY + number) for number, one in enumerate(in_order))


def live(store: Store, story: Story, order: Sequence[Step], **defects: bool) -> tuple[State, Oracle]:
    """Live through one history."""
    place = Place(store, story, Clock(RECEIVED))
    oracle = Oracle(place)
    return History(place, oracle, **defects).run(order), oracle
