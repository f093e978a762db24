"""Every check of the demo holds where all is well, and fails where one thing is not."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
from pydicom import Dataset

from agent.core.prediction import NoEstimate, Side
from demo.checks import check
from demo.deciding import OPERATOR
from demo.expected import decided, dormant, estimate, no_case, no_estimate
from demo.outcome import PACS, Arrived, Outcome, Version
from tests import builders
from tests.unit.demo.conftest import OLD, Make, a_patient, a_result


def problems(outcome: Outcome) -> list[str]:
    """What does not hold."""
    return [f"{one.what}: {one.problem}" for one in check(outcome) if one.problem]


def the_only(outcome: Outcome) -> str:
    """The one thing that does not hold."""
    (problem,) = problems(outcome)
    return problem


def with_version(outcome: Outcome, number: int = -1, **changes: object) -> Outcome:
    """Return the outcome with another version in the place of one."""
    versions = list(outcome.versions)
    versions[number] = replace(versions[number], **changes)
    return replace(outcome, versions=versions)


def with_object(outcome: Outcome, role: str, change: Callable[[Dataset], object]) -> Outcome:
    """Return the outcome with one object changed, as if it had come like that from the PACS."""

    def changed(one: Arrived) -> Arrived:
        ds = deepcopy(one.ds)
        change(ds)
        return replace(one, ds=ds)

    arrived = [changed(one) if one.role == role else one for one in outcome.versions[-1].arrived]
    assert arrived != outcome.versions[-1].arrived
    return with_version(outcome, arrived=arrived)


def with_delivery(outcome: Outcome, destination: str, role: str, status: str) -> Outcome:
    """Return the outcome with another status of one object at one destination."""
    deliveries = [dict(row) for row in outcome.versions[-1].deliveries]
    (row,) = [row for row in deliveries if (row["destination"], row["role"]) == (destination, role)]
    row["status"] = status
    return with_version(outcome, deliveries=deliveries)


def with_summary(outcome: Outcome, **changes: object) -> Outcome:
    """Return the outcome with another summary in the case list."""
    case = outcome.versions[-1].case
    return with_version(outcome, case={**case, "summary": {**case["summary"], **changes}})


def without(version: Version, role: str) -> dict[str, object]:
    """Return a version's changes when one object is missing."""
    return {"arrived": [one for one in version.arrived if one.role != role]}


def test_good_story_holds(outcome: Outcome) -> None:
    """Nothing is complained of, and more than ten things were looked at."""
    assert problems(outcome) == []
    assert len(check(outcome)) >= 10


def test_second_version_holds(make: Make) -> None:
    """It names the SR and the text SR of the first."""
    assert problems(make([a_result(), a_result(2)])) == []


def test_second_version_without_predecessor(make: Make) -> None:
    """A second version that names nothing is not one."""
    outcome = make([a_result(), replace(a_result(2), predecessors={})])
    wrong = "sr:L, text_sr, sr:L:comprehensive"
    assert the_only(outcome) == f"SR and text SR of version 2 name those of version 1: not so: {wrong}"


def test_first_version_with_a_predecessor(make: Make) -> None:
    """A first version replaces nothing."""
    only_second = make([a_result(2)])
    wrong = "sr:L, text_sr, sr:L:comprehensive"
    assert f"the first version names no predecessor: not so: {wrong}" in problems(only_second)


def test_no_estimate_holds(make: Make) -> None:
    """The reason stands in the case list and in the text SR."""
    result = a_result(answers=[NoEstimate(Side.L, "because of this")], influences=(), used=())
    assert problems(make([result], no_estimate("because of this"))) == []


def test_other_reason(make: Make) -> None:
    """Another reason is another story."""
    result = a_result(answers=[NoEstimate(Side.L, "because of that")], influences=(), used=())
    found = problems(make([result], no_estimate("because of this")))
    assert [problem.split(":")[0] for problem in found] == ["the reason is given", "and stands in the text SR"]


def test_number_where_none_may_be(make: Make) -> None:
    """An estimate where there must be none."""
    found = problems(make(expected=no_estimate("because of this")))
    assert any(problem.startswith("there is no number: there is") for problem in found)


def test_dormant_holds(make: Make) -> None:
    """Nothing sent, and the case says why it sleeps."""
    outcome = make([builders.result([])], dormant("no diagnosis"), state="dormant", reason="no diagnosis is known")
    assert problems(outcome) == []


def test_dormant_for_another_reason(make: Make) -> None:
    """It sleeps, but not for the reason of the story."""
    outcome = make([builders.result([])], dormant("no diagnosis"), state="dormant", reason="the diagnosis is benign")
    assert the_only(outcome) == "the reason is given: it is ['the diagnosis is benign']"


def test_no_case_holds() -> None:
    """Images that say nothing to the question are put aside, all of them."""
    patient = a_patient(no_case(not_relevant=2))
    assert problems(Outcome(patient, [], dict.fromkeys(patient.sent, ("not_relevant", "no use")), [])) == []


def test_case_where_none_may_be(make: Make) -> None:
    """A case was opened all the same."""
    assert "the case: 1 version, done: ['done'] instead of []" in problems(make(expected=no_case(not_relevant=2)))


def test_missing_case() -> None:
    """No case was opened."""
    patient = a_patient(estimate("clinical MG"))
    outcome = Outcome(patient, [], dict.fromkeys(patient.sent, ("collected", "")), [])
    assert "the case: no case: [] instead of ['done']" in problems(outcome)


def test_version_too_many(make: Make) -> None:
    """A second version that nobody asked for."""
    outcome = make([a_result(), a_result(2)], estimate("clinical MG"))
    assert the_only(outcome) == "the case: 2 versions, done: ['done', 'done'] instead of ['done']"


def test_failed_case(outcome: Outcome) -> None:
    """A state that is not the expected one."""
    failed = with_version(outcome, case={**outcome.versions[0].case, "state": "failed"})
    assert the_only(failed) == "the case: 1 version, failed: ['failed'] instead of ['done']"


@pytest.mark.parametrize("role", ["sr:L", "text_sr", "secondary_capture:L:1"])
def test_missing_object(outcome: Outcome, role: str) -> None:
    """An object that is announced but not in the PACS."""
    lacking = with_version(outcome, **without(outcome.versions[0], role))
    assert any("in the PACS: expected" in problem for problem in problems(lacking))


def test_unconfirmed_object(outcome: Outcome) -> None:
    """An object that the PACS did not list."""
    unconfirmed = with_delivery(outcome, PACS, "text_sr", "sent")
    assert the_only(unconfirmed) == "the PACS listed each of them when asked: not confirmed: ['text_sr']"


@pytest.mark.parametrize("role", ["sr:L", "text_sr"])
def test_only_what_stands_for_another_may_stay_behind(outcome: Outcome, role: str) -> None:
    """An object that is in reserve and should have been sent."""
    assert the_only(with_delivery(outcome, PACS, role, "spare")).endswith(f"not confirmed: ['{role}']")


@pytest.mark.parametrize(("role", "status"), [("sr:L", "confirmed"), ("sr:L:comprehensive", "spare")])
def test_old_archive_noted_otherwise(outcome: Outcome, role: str, status: str) -> None:
    """What the agent notes of the archive that takes less is what happened there."""
    problem = the_only(with_delivery(outcome, OLD, role, status))
    assert problem.startswith(f"the agent noted what {OLD} refused and what it has: it noted")


def with_old_sr(outcome: Outcome, change: Callable[[Dataset], object]) -> Outcome:
    """Return the outcome with the old archive's SR changed."""
    found = [deepcopy(one) for one in outcome.versions[-1].elsewhere[OLD]]
    change(next(one.ds for one in found if one.kind == "sr"))
    return with_version(outcome, elsewhere={OLD: found})


def test_old_archive_lacks_an_sr(outcome: Outcome) -> None:
    """It was refused one, and nothing stands for it."""
    texts = [one for one in outcome.versions[-1].elsewhere[OLD] if one.kind != "sr"]
    assert the_only(with_version(outcome, elsewhere={OLD: texts})).startswith(f"{OLD} has text_sr: expected")


def test_old_archive_has_another_number(outcome: Outcome) -> None:
    """The Comprehensive SR tells what the Comprehensive 3D SR tells."""
    assert the_only(with_old_sr(outcome, _set_probability)).startswith("and tell the PACS's numbers: they tell")


def test_old_archive_has_a_class_that_it_refuses(outcome: Outcome) -> None:
    """A Comprehensive 3D SR under the name of the other."""
    wrong = with_old_sr(outcome, lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.34"))
    assert the_only(wrong).startswith("the SRs there are Comprehensive SR")


def test_key_object_that_forgets_one(make: Make) -> None:
    """Version 2 rejects all that was sent of version 1."""
    outcome = make([a_result(), a_result(2)])

    def forget(ds: Dataset) -> None:
        del ds.ContentSequence[-1]
        del ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[-1]

    problem = the_only(with_object(outcome, "rejection::1", forget))
    assert problem == "version 2 rejects each object of version 1: 1 are missing, 0 too many"


def test_object_that_is_not_valid(outcome: Outcome) -> None:
    """What dciodvfy complains of, with the file's name; nothing is claimed where it is not installed."""
    paths = [one.path for one in outcome.versions[0].arrived]
    good = replace(outcome, invalid=dict.fromkeys(paths, ()))
    assert len(check(good)) == len(check(outcome)) + 1
    assert problems(good) == []
    bad = replace(outcome, invalid={**good.invalid, paths[0]: ["Error - this"]})
    assert the_only(bad) == f"dciodvfy finds no error in {len(paths)} objects: {paths[0].name}: Error - this"


def test_stray_object(outcome: Outcome) -> None:
    """Something in her studies that no case announced."""
    assert the_only(replace(outcome, strays=["1.2.3"])) == "nothing else lies in her studies: 1 unknown objects"


def test_lost_image(outcome: Outcome) -> None:
    """An image of which the agent knows nothing."""
    ends = dict(list(outcome.ends.items())[1:])
    assert the_only(replace(outcome, ends=ends)).startswith(
        "every image received has one end: 1 collected: of 2 images"
    )


def test_quarantined_image_that_is_whole(outcome: Outcome) -> None:
    """Quarantine takes the damaged image, not its neighbour."""
    patient = replace(
        a_patient(estimate("clinical MG", quarantined=1), outcome.patient.images[:1]), cut=outcome.patient.images[1:]
    )
    whole, cut = patient.sent
    right = {whole: ("collected", ""), cut: ("quarantined", "truncated")}
    wrong = {whole: ("quarantined", "truncated"), cut: ("collected", "")}
    assert problems(replace(outcome, patient=patient, ends=right)) == []
    assert the_only(replace(outcome, patient=patient, ends=wrong)).startswith("the damaged image, and no other")


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientName", "OTHER^NAME"), ("IssuerOfPatientID", "PHANTOM2"), ("PatientBirthDate", "19700102")],
)
def test_other_identity(outcome: Outcome, keyword: str, value: str) -> None:
    """A result under another woman's name, issuer or birth date."""
    other = with_object(outcome, "text_sr", lambda ds: setattr(ds, keyword, value))
    assert the_only(other).endswith("are the source's in every object: not so: text_sr")


def test_reference_to_another_womans_image(outcome: Outcome) -> None:
    """A capture that names an image which is not hers."""

    def change(ds: Dataset) -> None:
        ds.SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    other = with_object(outcome, "secondary_capture:L:1", change)
    assert the_only(other) == "every object names her images and results alone: not so: secondary_capture:L:1"


def _set_probability(ds: Dataset) -> None:
    for item in ds.ContentSequence[-1].ContentSequence[0].ContentSequence:
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeMeaning == "ALN risk":
            item.MeasuredValueSequence[0].NumericValue = "12.5"


def _set_text(ds: Dataset) -> None:
    for part in ds.ContentSequence:
        for item in part.get("ContentSequence", []):
            item.TextValue = item.TextValue.replace("73.1 %", "73.2 %")


def _set_comment(ds: Dataset) -> None:
    ds.ImageComments = ds.ImageComments.replace("73.1 %", "73.2 %")


@pytest.mark.parametrize(
    ("role", "change"), [("sr:L", _set_probability), ("text_sr", _set_text), ("secondary_capture:L:2", _set_comment)]
)
def test_one_object_tells_another_number(outcome: Outcome, role: str, change: Callable[[Dataset], None]) -> None:
    """SR, text SR and captures must tell what the case list tells."""
    said = f"SR, text SR, Image Comments of the captures and case list tell one number: {role.split(':')[0]}: "
    assert any(problem.startswith(said) for problem in problems(with_object(outcome, role, change)))


def test_contributions_that_do_not_add_up(outcome: Outcome) -> None:
    """Their sum is the number's log-odds."""
    answers = [{**answer, "contributions": {"prior": 0.1}} for answer in outcome.versions[0].answers]
    assert the_only(with_summary(outcome, answers=answers)).startswith("the contributions add up to the number")


def test_answer_for_the_other_side(outcome: Outcome) -> None:
    """A right axilla where a left one is expected."""
    right = replace(outcome, patient=a_patient(estimate("clinical MG", sides="R")))
    assert the_only(right) == "a number for L: not the right sides"


def test_answer_on_less_than_everything(outcome: Outcome) -> None:
    """The ultrasound was there and is not among what was used."""
    patient = a_patient(estimate("clinical MG US", pictures=2))
    assert "it rests on MG, clinical: expected clinical MG US" in problems(replace(outcome, patient=patient))


WHY = "under one Patient ID the birth dates differ."
HELD = {"event": "conflict_found", "at": "2026-01-06T09:28:00+00:00", "reason": WHY}
RESOLVED = {"event": "resolved", "at": "2026-01-06T09:29:00+00:00", "reason": f"{OPERATOR} decided: split"}


def held(outcome: Outcome, *events: dict[str, str], **story: object) -> Outcome:
    """Return the outcome of a story that wants to be held, with these events."""
    expected = decided(outcome.patient.expected, "birth dates differ")
    told = replace(outcome.patient.story, expected=expected, ruling="split", **story)
    return with_version(replace(outcome, patient=replace(outcome.patient, story=told)), events=events)


def test_held_and_decided_holds(outcome: Outcome) -> None:
    """Held for the reason, decided by the operator, and only then sent."""
    assert problems(held(outcome, HELD, RESOLVED)) == []


def test_held_without_need(outcome: Outcome) -> None:
    """A case of which nothing contradicts is not held."""
    assert the_only(with_version(outcome, events=[HELD, RESOLVED])).startswith("it was never held: it was")


@pytest.mark.parametrize(
    "events",
    [
        (),
        (HELD,),
        ({**HELD, "reason": "two Patient IDs in one study"}, RESOLVED),
        (HELD, {**RESOLVED, "reason": "somebody decided: split"}),
        (HELD, {**RESOLVED, "reason": f"{OPERATOR} decided: merge"}),
        (HELD, RESOLVED, HELD, RESOLVED),
    ],
)
def test_not_held_as_the_story_wants(outcome: Outcome, events: tuple[dict[str, str], ...]) -> None:
    """Never, or not decided, for another reason, by another person, otherwise, or twice."""
    assert any(problem.startswith("held: ") for problem in problems(held(outcome, *events)))


def test_sent_before_it_was_decided(outcome: Outcome) -> None:
    """A result that left while the case was held."""
    late = {**RESOLVED, "at": "2026-01-06T09:30:02+00:00"}
    assert the_only(held(outcome, HELD, late)).startswith("nothing was sent before that")


def merged(make: Make) -> Outcome:
    """Return an outcome of two versions, the first under a retired Patient ID."""
    outcome = make([a_result(), a_result(2)])
    first = outcome.versions[0]
    arrived, elsewhere = deepcopy(first.arrived), deepcopy(first.elsewhere)
    for one in (*arrived, *elsewhere[OLD]):
        one.ds.PatientID = "OLD"
    case = {**first.case, "patient_id": "OLD"}
    changed = with_version(outcome, 0, arrived=arrived, elsewhere=elsewhere, case=case)
    story = replace(outcome.patient.story, retired_id="OLD")
    return replace(changed, patient=replace(outcome.patient, story=story))


def test_merged_patient_holds(make: Make) -> None:
    """The first version under the one identifier, the second under the other."""
    assert problems(merged(make)) == []


def test_result_under_the_retired_identifier(make: Make) -> None:
    """Nothing of after the merge may carry it."""
    wrong = with_object(merged(make), "text_sr", lambda ds: setattr(ds, "PatientID", "OLD"))
    assert "no result of after the merge is under the retired Patient ID: not so: text_sr" in problems(wrong)


def test_case_that_stays_under_the_retired_identifier(make: Make) -> None:
    """A version of after the merge belongs to the patient who survives."""
    outcome = merged(make)
    stays = with_version(outcome, case=outcome.versions[0].case | {"version": 2})
    assert any(problem.startswith("the case goes on under the surviving") for problem in problems(stays))


def told_apart(outcome: Outcome) -> Outcome:
    """Return an outcome with another woman's images, in a case of their own."""
    foreign = [deepcopy(ds) for ds in outcome.patient.images]
    for number, ds in enumerate(foreign):
        ds.SOPInstanceUID = f"1.2.3.{number}"
    expected = replace(outcome.patient.expected, cases_apart=1)
    patient = replace(
        outcome.patient, foreign=foreign, story=replace(outcome.patient.story, expected=expected, namesake="ROE^ANN")
    )
    rows = [{"sop_instance_uid": str(ds.SOPInstanceUID)} for ds in foreign]
    apart = Version({"state": "dormant", "case_uuid": "another"}, [], rows, [], [])
    return replace(outcome, patient=patient, ends=dict.fromkeys(patient.sent, ("collected", "")), apart=[apart])


def test_other_womans_images_apart_hold(outcome: Outcome) -> None:
    """They are all in a case that sleeps."""
    assert problems(told_apart(outcome)) == []


def test_other_womans_image_in_no_case_of_its_own(outcome: Outcome) -> None:
    """One image stayed where it was."""
    good = told_apart(outcome)
    lacking = replace(good.apart[0], instances=good.apart[0].instances[1:])
    assert the_only(replace(good, apart=[lacking])).startswith("the other woman's images are in a case of their own")


def test_answer_about_the_other_woman(outcome: Outcome) -> None:
    """Nobody asked about her."""
    good = told_apart(outcome)
    answered = replace(good.apart[0], deliveries=[{"role": "text_sr"}])
    assert the_only(replace(good, apart=[answered])) == "which sends nothing: it is {'dormant'}: ['text_sr']"
