"""Who is who: every store joins, tells apart and remembers patients alike."""

from dataclasses import replace
from datetime import date
from itertools import permutations
from uuid import UUID

import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.conflict import Conflict, ConflictKind, Decision, Ruling
from agent.core.demographics import Demographics
from agent.core.errors import StaleCase
from agent.core.identities import Identity, Retirement, Standing, Told, identity_digest
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import Store
from tests.state_stores import CASE_UUID, MINUTE, OBJECTS, PATIENT, QUESTION, T0, arrival, instance, opened

A, B, C = (PatientKey("EXAMPLE", name) for name in "ABC")
JANE = Demographics("Doe^Jane", date(1970, 1, 1), "F")


def retirement(old: PatientKey, new: PatientKey, minutes: int = 0) -> Retirement:
    """A merge that was sent so many minutes after T0."""
    return Retirement(T0 + minutes * MINUTE, f"M{minutes}", old, new)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_chain_of_merges_ends_at_its_last_key(store: Store, order: tuple[int, int]) -> None:
    """A into B, then B into C: all three are C, whichever message came first."""
    merges = [retirement(A, B), retirement(B, C, 1)]
    with store.unit() as unit:
        assert [unit.retire(merges[n]) for n in order] == [True, True]
        assert not unit.retire(merges[0])
        assert [unit.canonical(key) for key in (A, B, C, PATIENT)] == [C, C, C, PATIENT]
        assert unit.kin(A) == [A, B, C]
        assert unit.kin(PATIENT) == [PATIENT]


def test_the_later_merge_counts(store: Store) -> None:
    """A into B, and later B into A: A survives."""
    with store.unit() as unit:
        unit.retire(retirement(B, A, 1))
        unit.retire(retirement(A, B))
        assert [unit.canonical(key) for key in (A, B)] == [A, A]


def test_a_person_joins_what_keys_stand_for(store: Store) -> None:
    """A person's merge joins two patients whatever messages say of their keys, before or after."""
    by_person = Retirement(T0 + 9 * MINUTE, "person:abc", C, A)
    with store.unit() as unit:
        unit.retire(by_person)
        assert [unit.canonical(key) for key in (A, C)] == [A, A]
        unit.retire(retirement(A, B))
        assert [unit.canonical(key) for key in (A, B, C)] == [B, B, B]


SAID = (
    (Told(date(1955, 5, 5), "F", ("Roe^Ann",)), 0, "1"),
    (Told(None, "M"), 1, "2"),
    (Told(date(1956, 5, 5)), 1, "1"),
    (Told(names=("Roe^Anna",)), 2, "3"),
    (Told(date(1957, 5, 5), "O"), 1, "0"),
    (Told(date(1956, 4, 5)), 1, "1"),
)


ORDERS = [*list(permutations(range(len(SAID)), 4))[::5], (5, 4, 3, 2, 1, 0), (2, 5, 0, 1, 3, 4)]


def test_each_field_is_what_was_said_of_it_last(store: Store) -> None:
    """What a message does not say takes nothing back, in whatever order the messages come, and come again."""
    told = {}
    for order in ORDERS:
        patient = PatientKey("EXAMPLE", "-".join(map(str, order)))
        with store.unit() as unit:
            for n in (*order, *range(len(SAID)), *order):
                said, minute, control_id = SAID[n]
                unit.tell(patient, said, T0 + minute * MINUTE, control_id)
            told[order] = unit.told(patient)
    assert told == dict.fromkeys(ORDERS, Told(date(1956, 5, 5), "M", ("Roe^Ann", "Roe^Anna")))


def test_a_message_that_says_nothing_is_no_word(store: Store) -> None:
    """Nothing is told of a patient before something is said."""
    with store.unit() as unit:
        unit.tell(A, Told(), T0, "1")
        assert unit.told(A) is None
        unit.tell(A, Told(sex="F"), T0 - MINUTE, "0")
        assert unit.told(A) == Told(None, "F")


def test_a_merge_of_a_third_key_brings_no_retired_one_back(store: Store) -> None:
    """A into B, and later C into A, by somebody who does not know: all three are B."""
    with store.unit() as unit:
        unit.retire(retirement(C, A, 5))
        unit.retire(retirement(A, B))
        assert [unit.canonical(key) for key in (A, B, C)] == [B, B, B]


def test_the_newest_message_tells(store: Store) -> None:
    """Whatever the order of messages, birth date and sex are those of the newest, and names add up."""
    with store.unit() as unit:
        unit.tell(A, Told(date(1970, 1, 1), "F", ("Doe^Jane",)), T0 + MINUTE, "2")
        unit.tell(A, Told(date(1971, 1, 1), "M", ("Roe^Jane",)), T0, "1")
        assert unit.told(A) == Told(date(1970, 1, 1), "F", ("Doe^Jane", "Roe^Jane"))
        unit.tell(A, Told(date(1972, 1, 1), "O"), T0 + 2 * MINUTE, "3")
        assert unit.told(A) == Told(date(1972, 1, 1), "O", ("Doe^Jane", "Roe^Jane"))
        assert unit.told(B) is None


def test_an_identity_is_noted_once_and_ruled(store: Store) -> None:
    """The demographics of a key are kept once each; what a person decided stays with them."""
    with store.unit() as unit:
        assert unit.note_identity(A, JANE, T0)
        assert not unit.note_identity(A, JANE, T0)
        assert unit.note_identity(B, JANE, T0)
        assert unit.identities(A) == [Identity(A, JANE, T0)] == [unit.identity(A, JANE)]
        ruled = Identity(A, JANE, T0, moved_to=C, barred="why")
        unit.rule_identity(ruled)
        assert not unit.note_identity(A, JANE, T0)
        assert unit.identities(A) == [ruled]


def test_a_study_knows_its_patients(store: Store) -> None:
    """The keys of a study are listed, and those that are barred say why."""
    with store.unit() as unit:
        assert [unit.note_study("1.2", A), unit.note_study("1.2", B), unit.note_study("1.2", A)] == [True, True, False]
        assert unit.study_keys("1.2") == [A, B]
        assert unit.studies_of(B) == ["1.2"]
        unit.bar_study("1.2", B, "why")
        assert [unit.barred_study("1.2", key) for key in (A, B, C)] == ["", "why", ""]


def test_a_variant_takes_the_place(store: Store) -> None:
    """A variant that counts becomes the instance, and what was it before a superseded variant."""
    first, later = instance(), replace(instance(), sha256="cd" * 32, patient=B, demographics=JANE, barred="")
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), first, arrival(), T0)
        unit.add_variant(later, arrival(offset=1), other_pixels=False)
        unit.add_variant(later, arrival(offset=2), other_pixels=False)
        (waiting,) = unit.variants("1.2.3")
        assert (waiting.instance, waiting.standing, waiting.ref.offset) == (later, Standing.WAITING, 1)
        assert unit.waiting_variants(B) == unit.waiting_variants(PATIENT) == [waiting]
        (stored,) = unit.instances(case.id)
        assert unit.put_in_place(stored, waiting).instance == later
        assert [one.instance for one in unit.instances(case.id)] == [later]
        (superseded,) = unit.variants("1.2.3")
        assert (superseded.instance, superseded.standing) == (first, Standing.SUPERSEDED)
        unit.settle_variant(superseded, Standing.DROPPED)
        assert unit.variants("1.2.3")[0].standing is Standing.DROPPED
        assert unit.waiting_variants(B) == []


def test_a_variant_that_was_decided_waits_anew(store: Store) -> None:
    """It is the same one, at the place where it arrived last."""
    later = replace(instance(), sha256="cd" * 32)
    with store.unit() as unit:
        unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.add_variant(later, arrival(offset=1), other_pixels=False)
        (first,) = unit.variants("1.2.3")
        unit.settle_variant(first, Standing.DROPPED)
        unit.add_variant(later, arrival(offset=2), other_pixels=False)
        (again,) = unit.variants("1.2.3")
        assert (again.id, again.standing, again.ref.offset) == (first.id, Standing.WAITING, 2)


def test_only_the_bytes_that_were_quarantined_are_damaged(store: Store) -> None:
    """Once another object stands in their place nothing is damaged under this UID."""
    later = replace(instance(), sha256="cd" * 32)
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        (stored,) = unit.instances(case.id)
        uid = stored.instance.sop_instance_uid
        assert not unit.is_damaged(uid)
        unit.mark_left_out(case, stored, "broken", quarantined=True)
        assert unit.is_damaged(uid)
        unit.add_variant(replace(later, sop_instance_uid=uid), arrival(uid, 1), other_pixels=True)
        unit.put_in_place(stored, unit.variants(uid)[0])
        assert not unit.is_damaged(uid)


def test_what_an_image_of_no_case_says_is_kept(store: Store) -> None:
    """An image that no case takes says the same of its patient and study as the superseded one: it is not forgotten."""
    first, later = instance(), replace(instance(), sha256="cd" * 32, patient=B)
    said = identity_digest(PATIENT, first.demographics)
    heard = replace(arrival("1.2.9", 5, end=End.NOT_RELEVANT), patient=PATIENT, study_instance_uid="1.2", identity=said)
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), first, arrival(), T0)
        unit.arrived(heard)
        unit.note_identity(PATIENT, first.demographics, T0)
        unit.note_study("1.2", PATIENT)
        unit.add_variant(later, arrival(offset=1), other_pixels=False)
        unit.put_in_place(unit.instances(case.id)[0], unit.variants("1.2.3")[0])
        assert (unit.study_keys("1.2"), len(unit.identities(PATIENT))) == ([PATIENT], 1)
        assert heard in unit.arrivals()


def test_what_only_a_superseded_object_said_is_forgotten(store: Store) -> None:
    """Its patient's identity and study go with it, unless another instance says the same."""
    first, later = instance(), replace(instance(), sha256="cd" * 32, patient=B)
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), first, arrival(), T0)
        unit.note_identity(PATIENT, first.demographics, T0)
        unit.note_study("1.2", PATIENT)
        unit.add_variant(later, arrival(offset=1), other_pixels=False)
        other = unit.add_instance(case, replace(instance("1.2.4")), arrival("1.2.4", 2), T0)
        third = replace(instance("1.2.4"), sha256="ef" * 32, patient=C)
        unit.add_variant(third, arrival("1.2.4", 3), other_pixels=False)
        stored = {one.instance.sop_instance_uid: one for one in unit.instances(other.id)}
        unit.put_in_place(stored["1.2.3"], unit.variants("1.2.3")[0])
        assert (unit.study_keys("1.2"), len(unit.identities(PATIENT))) == ([PATIENT], 1)
        unit.put_in_place(stored["1.2.4"], unit.variants("1.2.4")[0])
        assert (unit.study_keys("1.2"), unit.identities(PATIENT)) == ([], [])


def test_a_barred_instance_says_why(store: Store) -> None:
    """What a person left out stays with its case and says so."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.bar(unit.instances(case.id)[0], "another patient's")
        assert unit.instances(case.id)[0].instance.barred == "another patient's"


def test_a_case_changes_hands(store: Store) -> None:
    """A case that is given to another patient is found under that one alone."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        moved = unit.rekey(case, B, T0 + MINUTE, "merged")
        assert (moved.patient, moved.state, moved.due_at) == (B, CaseState.COLLECTING, T0 + MINUTE)
        assert unit.newest_case(QUESTION, PATIENT) is None
        assert unit.newest_case(QUESTION, B) == moved
        successor = unit.open_version_for(moved, C, T0)
        assert (successor.version, successor.patient, len(unit.instances(successor.id))) == (2, C, 1)
        assert unit.newest_case(QUESTION, B) is None
        assert unit.heads(C) == [successor]


def test_instances_move_between_cases(store: Store) -> None:
    """A known instance can be added to a version, and taken out."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        other = opened(unit, 1)
        (stored,) = unit.instances(case.id)
        unit.link(other, stored)
        unit.unlink(case, stored)
        assert (unit.instances(case.id), unit.instances(other.id)) == ([], [stored])


def test_an_absorbed_case_is_superseded_by_the_one_that_took_it(store: Store) -> None:
    """What was sent of an absorbed case is the predecessor of what comes after the merge; nobody finds it any more."""
    with store.unit() as unit:
        old, new = opened(unit), opened(unit, 1)
        ready = unit.apply(unit.apply(old, CaseEvent.COMPLETE, T0), CaseEvent.CLAIMED, T0, due_at=T0 + MINUTE)
        saved = unit.save_result(ready, T0, {}, {"pacs": OBJECTS})
        unit.about_to_send(unit.outbox_of(saved.id), T0)
        unit.absorb(saved, new.case_uuid)
        assert unit.superseded(new) == saved.id
        assert unit.newest_case(QUESTION, PATIENT) is None
        assert unit.heads(PATIENT) == []


def test_what_was_withdrawn_in_time_is_nobodys_predecessor(store: Store) -> None:
    """A version that was closed before anything was sent is not superseded, and nothing of it leaves."""
    with store.unit() as unit:
        ready = unit.apply(unit.apply(opened(unit), CaseEvent.COMPLETE, T0), CaseEvent.CLAIMED, T0, due_at=T0 + MINUTE)
        saved = unit.save_result(ready, T0, {}, {"pacs": OBJECTS})
        closed = unit.withdraw(saved, T0, "merged away")
        successor = unit.open_version_for(closed, B, T0)
        assert unit.superseded(successor) is None
        assert unit.outbox("pacs", [item.status for item in unit.outbox_of(saved.id)], T0, 9) == []


def test_waking_makes_waiting_and_finished_cases_due(store: Store) -> None:
    """News about a patient makes its newest versions due at once."""
    with store.unit() as unit:
        case = unit.apply(opened(unit), CaseEvent.NOT_ASKED, T0, due_at=T0 + 60 * MINUTE)
        other = unit.open_case(QUESTION, B, T0, UUID(int=CASE_UUID.int + 7))
        unit.wake(PATIENT, T0 + MINUTE)
        assert unit.due([CaseState.DORMANT], T0 + MINUTE, 9) == [unit.case(case.id)]
        assert unit.case(other.id).due_at is None


def test_a_held_case_keeps_what_is_to_be_decided(store: Store) -> None:
    """A hold states its conflicts; a new list replaces them."""
    first = Conflict(ConflictKind.CORRECTION, ("1.2.3", "ab", "cd"), "The same UID with other attributes.")
    second = Conflict(ConflictKind.SHARED_STUDY, ("1.2", "a", "b"), "Two Patient IDs in one study.")
    with store.unit() as unit:
        held = unit.hold(opened(unit), [first], T0)
        assert (held.state, held.reason, unit.conflicts(held.id)) == (CaseState.HELD, first.sentence, [first])
        held = unit.hold(held, [first, second], T0)
        assert unit.conflicts(held.id) == [first, second]
        assert held.reason.endswith(second.sentence)
        assert unit.held() == [held]
        assert unit.conflicts(0) == []


def test_who_saw_less_of_a_hold_cannot_let_it_go(store: Store) -> None:
    """One more contradiction is news: a decision that rests on the list before is stale."""
    first = Conflict(ConflictKind.LATERALITY, ("L", "x"), "The other side.")
    second = Conflict(ConflictKind.SHARED_STUDY, ("1.2", "a", "b"), "Two Patient IDs in one study.")
    with store.unit() as unit:
        seen = unit.hold(opened(unit), [first], T0)
    with store.unit() as unit:
        unit.hold(seen, [first, second], T0)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.apply(seen, CaseEvent.RESOLVED, T0, due_at=T0)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.hold(seen, [first], T0)
    with store.unit() as unit:
        assert unit.case(seen.id).state is CaseState.HELD and unit.conflicts(seen.id) == [first, second]


def test_who_looked_before_a_waking_does_not_put_it_off(store: Store) -> None:
    """News comes while a case is looked at: it stays due, even if it was due at that very moment."""
    with store.unit() as unit:
        seen = unit.postpone(opened(unit), T0 + MINUTE, "")
    with store.unit() as unit:
        unit.wake(PATIENT, T0 + MINUTE)
    with pytest.raises(StaleCase), store.unit() as unit:
        unit.postpone(seen, T0 + 60 * MINUTE, "")
    with store.unit() as unit:
        woken = unit.case(seen.id)
        assert woken.due_at == T0 + MINUTE
        assert unit.postpone(woken, None, "").due_at is None


def test_a_decision_is_kept(store: Store) -> None:
    """What a person decided is found by the conflict; a later decision replaces it."""
    decided = Decision("abc", Ruling.SPLIT, "x", "someone", T0)
    with store.unit() as unit:
        assert unit.decision("abc") is None
        unit.decide(decided)
        assert unit.decision("abc") == decided
        unit.decide(replace(decided, ruling=Ruling.MERGE))
        assert unit.decision("abc") == replace(decided, ruling=Ruling.MERGE)


def test_one_after_the_other_decides_on_identity(store: Store) -> None:
    """Whoever asks to be alone can, again and again."""
    for _ in range(2):
        with store.unit() as unit:
            unit.alone()
            unit.note_study("1.2", A)


def test_the_versions_of_a_case_and_whether_one_is_disputed(store: Store) -> None:
    """All of them, the first one first; a later one that is held disputes the earlier ones, not itself."""
    with store.unit() as unit:
        first = unit.apply(opened(unit), CaseEvent.COMPLETE, T0)
        second = unit.open_version(first, T0)
        assert unit.versions(second) == [first, second]
        assert not unit.is_disputed(first)
        held = unit.hold(second, [Conflict(ConflictKind.PIXELS, ("1", "a"), "Other pixels.")], T0)
        assert unit.is_disputed(first)
        assert not unit.is_disputed(held)


def test_what_the_images_of_a_version_say_of_their_patient(store: Store) -> None:
    """Each way once, without those that were left out."""
    with store.unit() as unit:
        case = opened(unit)
        for n, (patient, said) in enumerate([(PATIENT, JANE), (PATIENT, JANE), (B, JANE), (C, JANE)]):
            header = replace(instance(f"1.2.{n}", patient), demographics=said)
            case = unit.add_instance(case, header, arrival(f"1.2.{n}", n), T0)
        barred = next(one for one in unit.instances(case.id) if one.instance.patient == C)
        unit.bar(barred, "left out")
        said_by = sorted(unit.said_in(case.id), key=lambda one: one[0])
        assert said_by == [(PATIENT, JANE), (B, JANE)]
