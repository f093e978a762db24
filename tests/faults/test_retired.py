"""The checker on merged patients: one live result under the key that survives, and what was broken is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from agent.core.case import CaseState
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus
from tests.builders import PATIENT
from tests.faults.evidence import Evidence, Kind, Leak, Made, Message, Version, Witness
from tests.faults.invariants import check
from tests.faults.planted import NEXT, NOW, SENT, SET, case, delivered, item, kinds, sound, successor, waiting

NEW = PatientKey(PATIENT.issuer, "NEW")
A40 = Message("A40-1", PATIENT, NEW)
UNNAMED = tuple(replace(one, predecessor="") for one in NEXT)
OTHER_CASE = UUID(int=2)


def under(patient: PatientKey, made: tuple[Made, ...]) -> tuple[Made, ...]:
    """Return objects that name a patient."""
    return tuple(replace(one, patient=patient) for one in made)


def withdrawn(**more: Any) -> Version:
    """Return version 1, of the old key: stopped by the merge on its way out."""
    outbox = tuple(item(one, OutboxStatus.WAITING) for one in SENT)
    values: dict[str, Any] = {"case": case(CaseState.CLOSED, reason="merged"), "outbox": outbox, "closed_at": NOW}
    return delivered(*under(PATIENT, SET), **values | more)


def heir(*made: Made, **more: Any) -> Version:
    """Return the version under the new key that goes on."""
    own = replace(case(), id=8, version=2, patient=NEW)
    return delivered(*under(NEW, made or NEXT), **{"case": own} | more)


def merged(*versions: Version, sent: tuple[Made, ...] = SET[:1], **changes: Any) -> Evidence:
    """Return evidence of a merge after all work is done; of version 1 only `sent` reached the archive."""
    new = tuple(made.bytes for version in versions[1:] for made in version.made if not made.instead_of)
    witness = Witness(requests=(*(made.bytes for made in sent), *new), kept=frozenset(new))
    known: dict[str, Any] = {
        "messages": frozenset({A40}),
        "spooled_messages": frozenset({"A40-1"}),
        "survivors": {PATIENT: NEW},
        "versions": versions,
        "archives": {"pacs": witness},
    }
    return sound(**known | changes)


def leaking(*leaks: Leak, version: Version | None = None) -> Evidence:
    """Return evidence of requests that reached the archive under the old key."""
    seen = merged(version or withdrawn(), heir())
    return replace(seen, archives={"pacs": replace(seen.archives["pacs"], leaks=leaks)})


def late(uid: str, seconds: float) -> Leak:
    """Return a request some time after the merge."""
    return Leak(uid, NOW + timedelta(seconds=seconds))


def test_a_merge_on_the_way_out_passes() -> None:
    """What was sent in part is superseded by the version under the new key."""
    assert check(merged(withdrawn(), heir()), drained=True) == []


def test_what_was_withdrawn_unsent_need_not_be_named() -> None:
    """It may be, where it was about to be sent."""
    assert check(merged(withdrawn(), heir(*UNNAMED), sent=()), drained=True) == []
    assert check(merged(withdrawn(), heir(), sent=()), drained=True) == []


def test_what_was_sent_in_part_must_be_named() -> None:
    """Else two results stand in the archive."""
    assert set(kinds(check(merged(withdrawn(), heir(*UNNAMED))))) == {Kind.LOST}


def test_an_absorbed_case_passes() -> None:
    """Two charts become one: the case that stays has all images and its own predecessor."""
    gone = withdrawn(absorbed_by=OTHER_CASE)
    stays = heir(*UNNAMED, case=replace(case(), id=8, case_uuid=OTHER_CASE, patient=NEW))
    assert check(merged(gone, stays), drained=True) == []


def test_one_object_on_its_way_is_excused() -> None:
    """It had left when the merge was committed; so had one to every other archive."""
    assert check(leaking(late("2.1", 0.1)), drained=True) == []


RETIRED: dict[str, Callable[[], Evidence]] = {
    "a second object followed": lambda: leaking(late("2.1", 0.1), late("2.2", 0.1)),
    "an object came long after": lambda: leaking(late("2.1", 3)),
    "an object of a version that was not stopped": lambda: leaking(
        late("2.1", 0), version=delivered(*under(PATIENT, SET))
    ),
    "an object of no version": lambda: leaking(late("9.9", 0)),
    "a version of the old key is delivered": lambda: merged(
        withdrawn(case=case(CaseState.DELIVERING), closed_at=None), heir()
    ),
    "a version of the old key waits": lambda: merged(withdrawn(case=case(CaseState.COLLECTING, due_at=NOW)), heir()),
    "a new result names the old key": lambda: merged(withdrawn(), heir(case=replace(heir().case, patient=PATIENT))),
}


@pytest.mark.parametrize("name", RETIRED)
def test_results_under_a_retired_key_are_named(name: str) -> None:
    """Each kind is reported as such, also while there is work."""
    assert Kind.RETIRED in kinds(check(RETIRED[name]()))


def second_live() -> Version:
    """Return another case's result under the new key."""
    made = tuple(successor(one, "") for one in UNNAMED)
    return heir(*made, case=replace(heir().case, id=9, version=1, case_uuid=OTHER_CASE))


AT_THE_END: dict[str, Callable[[], Evidence]] = {
    "no result under the new key": lambda: merged(withdrawn()),
    "two live results under the new key": lambda: merged(withdrawn(), heir(), second_live()),
    "the old key's result goes on nowhere": lambda: merged(
        delivered(*under(PATIENT, SET)),
        heir(*UNNAMED, case=replace(heir().case, version=1, case_uuid=OTHER_CASE)),
        sent=SET,
    ),
}


@pytest.mark.parametrize("name", AT_THE_END)
def test_other_than_one_live_result_is_named(name: str) -> None:
    """Once all work is done there is one, under the new key."""
    assert Kind.RETIRED in kinds(check(AT_THE_END[name](), drained=True))


LOST: dict[str, Callable[[], Evidence]] = {
    "a message is not in the spool": lambda: merged(withdrawn(), heir(), spooled_messages=frozenset()),
    "a merge is not applied": lambda: merged(withdrawn(), heir(), survivors={}),
    "a merge is applied to another": lambda: merged(withdrawn(), heir(), survivors={PATIENT: PATIENT}),
    "the next version lacks an image": lambda: merged(withdrawn(), heir(members=frozenset())),
    "an absorbed case's image is gone": lambda: merged(
        withdrawn(absorbed_by=OTHER_CASE), heir(*UNNAMED, case=second_live().case, members=frozenset())
    ),
    "withdrawn, and nothing goes on": lambda: merged(withdrawn()),
}


@pytest.mark.parametrize("name", LOST)
def test_what_a_merge_lost_is_named(name: str) -> None:
    """Each kind of loss is reported as such."""
    assert Kind.LOST in kinds(check(LOST[name](), drained=True))


def test_a_merge_under_way_is_in_order() -> None:
    """Until all work is done nobody has to have applied it."""
    seen = waiting(CaseState.READY)
    seen = replace(seen, messages=frozenset({A40}), spooled_messages=frozenset({"A40-1"}))
    assert check(seen) == []
    assert Kind.LOST in kinds(check(seen, drained=True))


def test_an_update_retires_nobody() -> None:
    """It only has to be in the spool."""
    told = frozenset({Message("A08-1")})
    assert check(sound(messages=told, spooled_messages=frozenset({"A08-1"})), drained=True) == []
    assert kinds(check(sound(messages=told))) == [Kind.LOST]
