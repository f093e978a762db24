"""The last question before anything leaves: every reason stops it, and nothing else does."""

from datetime import date
from uuid import UUID

from agent.core.case import Case, CaseEvent
from agent.core.conflict import Conflict, ConflictKind
from agent.core.demographics import Demographics
from agent.core.firewall import APART, DISPUTED, OVERTAKEN, RETIRED, STRANGER, owner, stopped
from agent.core.identities import Identity, Retirement, apart
from agent.core.patient import PatientKey
from tests.fakes.store import FakeStore, FakeUnit
from tests.state_stores import PATIENT, QUESTION, T0, arrival, delivering, instance, opened, result_object

NEW = PatientKey("EXAMPLE", "NEW")
NOBODY = Demographics()


def case_of(unit: FakeUnit, images_of: PatientKey = PATIENT) -> Case:
    """A patient's case with one image."""
    return unit.add_instance(opened(unit), instance(patient=images_of), arrival(), T0)


def test_a_patient_whose_images_are_hers_may_be_answered() -> None:
    """Nothing speaks against it."""
    with FakeStore().unit() as unit:
        assert stopped(unit, case_of(unit)) == ""


def test_a_retired_key_stops_everything() -> None:
    """The next version goes on under the surviving one."""
    with FakeStore().unit() as unit:
        case = case_of(unit)
        unit.retire(Retirement(T0, "M1", PATIENT, NEW))
        assert stopped(unit, case) == RETIRED


def test_somebody_told_apart_is_never_answered() -> None:
    """Her images came under another woman's identifiers."""
    with FakeStore().unit() as unit:
        her = apart(Identity(PATIENT, NOBODY, T0))
        case = unit.open_case(QUESTION, her, T0, UUID(int=77))
        assert stopped(unit, case) == APART


def test_an_image_of_a_stranger_stops_everything_unless_it_is_left_out() -> None:
    """By its key, or because a person told its owner apart."""
    with FakeStore().unit() as unit:
        case = case_of(unit, images_of=NEW)
        assert stopped(unit, case) == STRANGER
        unit.bar(unit.instances(case.id)[0], "a person left it out")
        assert stopped(unit, case) == ""


def test_an_owner_follows_rulings_and_merges() -> None:
    """The ruling first, else the surviving key."""
    said = Demographics("Doe^Jane", date(1970, 1, 1), "F")
    with FakeStore().unit() as unit:
        unit.retire(Retirement(T0, "M1", PATIENT, NEW))
        assert owner(unit, PATIENT, said) == NEW
        unit.note_identity(PATIENT, said, T0)
        assert owner(unit, PATIENT, said) == NEW
        identity = Identity(PATIENT, said, T0)
        unit.rule_identity(Identity(PATIENT, said, T0, moved_to=apart(identity)))
        assert owner(unit, PATIENT, said) == apart(identity)


def test_a_later_version_that_is_held_stops_the_earlier_one() -> None:
    """Whatever is decided may be about its images too."""
    with FakeStore().unit() as unit:
        case = unit.apply(case_of(unit), CaseEvent.COMPLETE, T0)
        later = unit.open_version(case, T0)
        assert stopped(unit, case) == ""
        unit.hold(later, [Conflict(ConflictKind.CORRECTION, ("1", "a"), "An image came again.")], T0)
        assert stopped(unit, case) == DISPUTED


def test_nothing_of_a_superseded_version_leaves_after_the_later_one() -> None:
    """A destination may have seen the later one: the rest of the earlier one would look like news."""
    with FakeStore().unit() as unit:
        first = delivering(unit)
        unit.apply(unit.open_version(first, T0), CaseEvent.COMPLETE, T0)
        claimed = unit.claim(T0, T0, "worker")
        assert claimed is not None
        second = unit.save_result(claimed, T0, {}, {"pacs": [result_object("2.25.9")]})
        assert (stopped(unit, first), stopped(unit, second)) == ("", "")
        unit.about_to_send(unit.outbox_of(second.id), T0)
        assert (stopped(unit, first), stopped(unit, second)) == (OVERTAKEN, "")
