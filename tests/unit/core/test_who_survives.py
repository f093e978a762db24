"""Who a patient key stands for after merges, whatever the order in which they came or were decided."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from agent.core.identities import BY_PERSON, Retirement, survivors
from agent.core.patient import PatientKey

A, B, C, D = (PatientKey("HOSPITAL", name) for name in "ABCD")
T0 = datetime(2026, 11, 20, tzinfo=UTC)


def said(retired: PatientKey, surviving: PatientKey, minute: int = 0) -> Retirement:
    """A message of the hospital."""
    return Retirement(T0 + timedelta(minutes=minute), f"M{minute}", retired, surviving)


def decided(retired: PatientKey, surviving: PatientKey, minute: int = 0) -> Retirement:
    """A person's decision."""
    return Retirement(T0 + timedelta(minutes=minute), f"{BY_PERSON}{retired}{surviving}", retired, surviving)


def test_a_chain_of_messages_ends_at_its_last_key() -> None:
    """Each retired key stands for the one that survives in the end; a key that survives again is not retired."""
    assert survivors([said(A, B), said(B, C, 1)]) == {A: C, B: C}
    assert survivors([said(A, B), said(B, A, 1)]) == {B: A}


def test_a_merge_of_a_third_key_brings_no_retired_one_back() -> None:
    """Only a message that retires what the key stands for takes its merge back; a third one's merge goes on with it."""
    assert survivors([said(A, B), said(C, A, 5)]) == {A: B, C: B}
    assert survivors([said(A, B), said(B, C, 1), said(C, A, 2)]) == {B: A, C: A}
    assert survivors([said(A, B), said(B, C, 1), said(B, A, 2)]) == {A: C, B: C}
    assert survivors([said(A, B), said(A, C, 1)]) == {A: C}
    assert survivors([said(A, B), said(B, A, 1), said(A, B, 2)]) == {A: B}


def test_a_person_joins_what_the_keys_stand_for() -> None:
    """A key that the hospital retired is not brought back by a person's merge, whichever way that was said."""
    assert survivors([said(A, B), decided(C, A)]) == {A: B, C: B}
    assert survivors([said(A, B), decided(B, A)]) == {A: B}


def test_what_persons_joined_does_not_depend_on_who_decided_first() -> None:
    """Of several keys the one that nobody gave up goes on; where each was given up, or several were not, the first."""
    for pairs, survivor in (
        ([(C, A), (C, B)], A),
        ([(B, A), (C, B)], A),
        ([(A, B), (B, C), (C, A)], A),
        ([(A, D), (B, D), (C, B)], D),
    ):
        keys = {key for pair in pairs for key in pair}
        for order in permutations(pairs):
            found = survivors([decided(*pair, minute) for minute, pair in enumerate(order)])
            assert found == dict.fromkeys(keys - {survivor}, survivor), order
