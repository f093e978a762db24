"""What comes under a known SOP Instance UID and is not the same: nothing takes a place that nobody gave it."""

import pytest

from agent.core.case import Case, CaseEvent, CaseState
from agent.core.conflict import ConflictKind, Ruling
from agent.core.instance import End
from agent.core.ports import OutboxStatus
from tests.fakes.instances import mammogram, uid
from tests.indexing import House
from tests.state_stores import result_object

JANE = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "PatientSex": "F"}
ANN = {"PatientID": "P-2", "PatientName": "Roe^Ann", "StudyInstanceUID": uid("s2")}
OTHER, THIRD = {"PixelData": b"\5\0\6\0\7\0\10\0"}, {"PixelData": b"\11\0\6\0\7\0\10\0"}


def damage(house: House) -> Case:
    """Let a worker find that the first image cannot be decoded."""
    case = house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
    with house.store.unit() as unit:
        unit.mark_left_out(case, unit.instances(case.id)[0], "it cannot be decoded", quarantined=True)
    house.clock.advance(seconds=1)
    return case


def take(house: House, *objects: object) -> None:
    """Send objects and take them in."""
    house.send(*objects)  # type: ignore[arg-type]
    house.indexer.tick()


def kinds(house: House, case: Case) -> list[ConflictKind]:
    """What a version is held for."""
    with house.store.unit() as unit:
        return [conflict.kind for conflict in unit.conflicts(case.id)]


def states(house: House) -> dict[str, CaseState]:
    """How the newest version of each patient stands."""
    return {name: case.state for name, case in house.heads().items()}


# ── damaged ones ──


def test_another_patients_object_does_not_take_a_damaged_ones_place(house: House) -> None:
    """Only an object that says the same does so without asking; accepted, it is in its own patient's case alone."""
    take(house, mammogram("1", **JANE))
    first = damage(house)
    take(house, mammogram("1", **{**JANE, **ANN, **OTHER}))
    assert house.ends()[-1] is End.QUARANTINED
    assert states(house) == {"P-1": CaseState.HELD, "P-2": CaseState.HELD}
    assert house.heads()["P-1"].id == first.id
    house.rule(Ruling.ACCEPT)
    assert {name: house.uids(case) for name, case in house.heads().items()} == {"P-2": [uid("1")]}


def test_a_damaged_object_is_replaced_once(house: House) -> None:
    """After a good one took its place the UID is as well guarded as any other."""
    take(house, mammogram("1", **JANE), mammogram("9", ViewPosition="MLO", **JANE))
    damage(house)
    take(house, mammogram("1", **JANE, **OTHER))
    assert house.ends()[-1] is End.COLLECTED
    take(house, mammogram("1", **JANE, **THIRD))
    assert house.ends()[-1] is End.QUARANTINED
    assert kinds(house, house.heads()["P-1"]) == [ConflictKind.PIXELS]


def test_a_corrected_object_in_a_damaged_ones_place_is_used_when_accepted(house: House) -> None:
    """The next version left the damaged one out: what a person accepts in its place is in it."""
    take(house, mammogram("1", **JANE), mammogram("9", ViewPosition="MLO", **JANE))
    damage(house)
    house.move(CaseEvent.RESULT_SAVED)
    take(house, mammogram("1", ImageLaterality="R", **JANE, **OTHER))
    assert house.rule(Ruling.ACCEPT).version == 2
    assert sorted(house.uids(house.cases()[-1])) == sorted([uid("1"), uid("9")])


# ── corrections that assembling does not read ──


@pytest.mark.parametrize(
    "change",
    [
        {"StudyDate": "20250101"},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"ImagerPixelSpacing": [0.2, 0.2]},
        {"PatientOrientation": ["P", "L"]},
        {"BitsStored": 10},
    ],
)
def test_what_a_worker_reads_is_an_attribute_too(house: House, change: dict[str, object]) -> None:
    """Another spacing, polarity, orientation or study date with the same pixels is a correction."""
    take(house, mammogram("1", **JANE), mammogram("1", **{**JANE, **change}))
    assert house.ends() == [End.COLLECTED, End.CORRECTION]
    assert states(house) == {"P-1": CaseState.HELD}


# ── corrections that make an image useless ──


@pytest.mark.parametrize("change", [{"ViewPosition": "XCCL"}, {"Modality": "CR"}])
def test_a_correction_that_no_case_takes_is_a_correction(house: House, change: dict[str, object]) -> None:
    """The earlier image may be another patient's: the case is held; accepted, the image is in no case."""
    take(house, mammogram("1", **JANE), mammogram("2", **JANE))
    take(house, mammogram("1", **{**JANE, **ANN, **change}))
    assert house.ends()[-1] is End.CORRECTION
    assert states(house) == {"P-1": CaseState.HELD, "P-2": CaseState.HELD}
    house.rule(Ruling.ACCEPT)
    assert {name: house.uids(case) for name, case in house.heads().items()} == {"P-1": [uid("2")]}
    take(house, mammogram("1", **{**JANE, **ANN, **change}))
    assert house.ends()[-1] is End.NOT_RELEVANT


def test_an_answer_that_rests_on_nothing_any_more_is_held(house: House) -> None:
    """The only image of an answer turns out to be of no use: a person sees to the answer, once."""
    take(house, mammogram("1", **JANE))
    case = house.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
    with house.store.unit() as unit:
        saved = unit.save_result(case, house.clock(), {}, {"pacs": [result_object("2.25.1")]})
        unit.settle(unit.outbox_of(saved.id)[0], OutboxStatus.CONFIRMED, house.clock())
        unit.apply(saved, CaseEvent.ALL_CONFIRMED, house.clock())
    take(house, mammogram("1", **{**JANE, "ViewPosition": "XCCL"}))
    held = house.rule(Ruling.ACCEPT)
    assert (held.state, kinds(house, held)) == (CaseState.HELD, [ConflictKind.STRANDED])
    assert house.rule(Ruling.ACCEPT).state is CaseState.CLOSED


def test_a_dropped_correction_that_no_case_takes_changes_nothing(house: House) -> None:
    """The earlier image stays in its case."""
    take(house, mammogram("1", **JANE), mammogram("1", **{**JANE, "ViewPosition": "XCCL"}))
    assert house.rule(Ruling.DROP).state is CaseState.COLLECTING
    assert house.uids(house.cases()[0]) == [uid("1")]


# ── images that no case takes ──


def test_a_second_patient_id_on_an_image_that_no_case_takes_holds(house: House) -> None:
    """Two Patient IDs in one study contradict, whichever image says so; nobody without images is held."""
    take(house, mammogram("1", **JANE), mammogram("2", ViewPosition="XCCL", PatientID="P-2", **JANE))
    assert house.ends() == [End.COLLECTED, End.NOT_RELEVANT]
    assert states(house) == {"P-1": CaseState.HELD}
    assert kinds(house, house.cases()[0]) == [ConflictKind.SHARED_STUDY]
    assert house.rule(Ruling.DROP, about="").state is CaseState.COLLECTING


@pytest.mark.parametrize("is_first", [True, False])
def test_demographics_on_an_image_that_no_case_takes_hold(house: House, is_first: bool) -> None:
    """So do birth dates that contradict, also where the image came before there was a case."""
    images = [mammogram("1", **JANE), mammogram("2", ViewPosition="XCCL", **{**JANE, "PatientBirthDate": "19900909"})]
    take(house, *(images if is_first else images[::-1]))
    assert states(house) == {"P-1": CaseState.HELD}
    assert kinds(house, house.cases()[0]) == [ConflictKind.DEMOGRAPHICS]


def test_images_that_no_case_takes_open_no_case(house: House) -> None:
    """Whatever contradicts among them waits until there is something to hold."""
    useless = {"ViewPosition": "XCCL"}
    take(
        house, mammogram("1", **JANE, **useless), mammogram("2", **{**JANE, **useless, "PatientBirthDate": "19900909"})
    )
    take(house, mammogram("3", **JANE, **useless, PatientID="P-2"))
    assert house.cases() == []


def test_what_is_no_image_says_nothing_of_its_study(house: House) -> None:
    """A document of a study is not evidence of whose images are in it."""
    take(house, mammogram("1", **JANE), mammogram("2", ViewPosition="XCCL", PatientID="P-2", PixelData=None, **JANE))
    assert states(house) == {"P-1": CaseState.COLLECTING}


# ── closed cases ──


def test_an_image_of_a_closed_case_does_not_become_another_patients(house: House) -> None:
    """Other attributes under the UID of a closed case are for a person; accepted, the image is the other patient's."""
    take(house, mammogram("1", **JANE))
    house.move(CaseEvent.NOT_ASKED, CaseEvent.EXPIRED)
    take(house, mammogram("1", **{**JANE, **ANN}))
    assert house.ends()[-1] is End.CORRECTION
    assert states(house) == {"P-1": CaseState.HELD, "P-2": CaseState.HELD}
    take(house, mammogram("1", **{**JANE, **ANN}))
    assert house.ends()[-1] is End.DUPLICATE
    house.rule(Ruling.ACCEPT)
    assert {name: house.uids(case) for name, case in house.heads().items()} == {"P-2": [uid("1")]}


def test_an_image_of_a_closed_case_comes_in_another_encoding(house: House) -> None:
    """The same attributes are taken in anew without asking, in whichever encoding, as often as the case is closed."""
    take(house, mammogram("1", **JANE))
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
        house.move(CaseEvent.NOT_ASKED, CaseEvent.EXPIRED)
        house.send_as(syntax, mammogram("1", **JANE))
        house.indexer.tick()
        assert house.ends()[-1] is End.COLLECTED
        assert house.uids(house.cases()[-1]) == [uid("1")]
    assert house.stored(house.cases()[-1])[0].ref == house.arrivals()[-1].ref


@pytest.mark.parametrize("ruling", [Ruling.DROP, Ruling.ACCEPT])
def test_what_was_decided_against_is_asked_about_again_after_the_case(house: House, ruling: Ruling) -> None:
    """An open case keeps to the decision; after it nobody would hear of the image again, so a person is asked."""
    right, wrong = mammogram("1", **JANE), mammogram("1", ImageLaterality="R", **JANE)
    take(house, *((right, wrong) if ruling is Ruling.DROP else (wrong, right)))
    house.rule(ruling)
    take(house, wrong)
    assert house.ends()[-1] is End.DUPLICATE
    house.move(CaseEvent.NOT_ASKED, CaseEvent.EXPIRED)
    take(house, wrong)
    assert house.ends()[-1] is End.CORRECTION
    assert states(house) == {"P-1": CaseState.HELD}
    house.rule(Ruling.ACCEPT)
    (stored,) = house.stored(house.cases()[-1])
    assert (stored.instance.laterality, stored.ref) == ("R", house.arrivals()[-1].ref)
