"""Every rule of the gate: objects keep it, and something that breaks it is refused by its name."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import Category, NoEstimate, Side
from agent.core.result import LeftOut, Result, SourceImage
from agent.dicom import codes
from agent.report import rules_set, tree
from agent.report.draft import DeviceIdentity, Draft
from agent.report.slot import Finished
from agent.report.validate import RULES, validate
from tests import builders
from tests.refusing import refusal
from tests.unit.report import scenes
from tests.unit.report.breaking import broken_copy, first
from tests.unit.report.broken import (
    BROKEN,
    EVERYTHING,
    HEATMAP,
    OF_COMPARISONS,
    OF_OTHER_KINDS,
    SR,
    SUMMARY,
    TEXT,
    finished,
)
from tests.unit.report.conftest import DEVICE


@pytest.fixture(scope="module")
def draft() -> Draft:
    """A left axilla with an estimate, a right one without: every kind of object occurs."""
    image = builders.source_image()
    answers = [builders.estimate(), NoEstimate(Side.R, "no facts")]
    return Draft.of(builders.result(answers, [image], **EVERYTHING), [image], DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> list[Finished]:
    """Its objects, which keep every rule."""
    return finished(draft)


@pytest.mark.parametrize(("rule", "role", "break_it"), BROKEN, ids=[f"{n}-{b[0]}" for n, b in enumerate(BROKEN)])
def test_broken_object_is_refused_by_name(
    draft: Draft, sound: Sequence[Finished], rule: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """The gate names the rule and the object's role."""
    one = next(o for o in sound if o.slot.role == role)
    spoilt = broken_copy(one, break_it)
    with pytest.raises(Permanent, match=f"^{role} breaks the rule {rule}$"):
        validate(draft, [spoilt])


def test_sound_objects_pass(draft: Draft, sound: Sequence[Finished]) -> None:
    """What the room makes keeps every rule."""
    assert refusal(validate, draft, sound) == ""


@pytest.mark.parametrize("said", ["42.0 %", "below 10.0 %, LOW", "25.0 % of such patients"])
def test_number_in_a_page_without_estimate_is_refused(device: DeviceIdentity, mlo: SourceImage, said: str) -> None:
    """Where nothing is estimated, no threshold and no prevalence slips in."""
    draft = Draft.of(builders.result([NoEstimate(Side.L, "no facts")], [mlo], site_prevalence=0.25), [mlo], device)
    objects = finished(draft)
    page = next(o.ds for o in objects if o.slot.role == TEXT)
    tree.children(tree.named(page, codes.QUESTION)[0], "TEXT")[0].TextValue = f"Question: {said}."
    with pytest.raises(Permanent, match="no_number_without_estimate"):
        validate(draft, objects)
    page = tree.children(tree.named(page, codes.QUESTION)[0], "TEXT")[0]
    page.TextValue = "A share of 142.0 %, of 110.0 % and of 71.3 %."  # not the result's: another rule tells
    with pytest.raises(Permanent, match="text_states_the_question"):
        validate(draft, [replace(o) for o in objects])


BY_OTHERS: list[dict[str, Any]] = [
    {"answers": (NoEstimate(Side.L, "only 42.0 % of the facts are known"),)},
    {"model": replace(builders.MODEL, training_summary="1,204 patients of two hospitals, 35 % node-positive.")},
    {"model": replace(builders.MODEL, label="more than 10 % of the node")},
    {"left_out": (LeftOut(builders.uid("left out"), "magnified more than 150 % by the site's rule.", "MG"),)},
    {"left_out": (LeftOut("ki67", "not one share: > 20 %"),)},
    {"evidence": ("90 % of the images that the PACS counts",)},
]


@pytest.mark.parametrize("given", BY_OTHERS)
def test_a_share_that_others_wrote_is_no_estimate(
    device: DeviceIdentity, mlo: SourceImage, given: dict[str, Any]
) -> None:
    """A page without an estimate repeats the bundle's and the site's own words, whatever stands there."""
    result = replace(builders.result([NoEstimate(Side.L, "too little evidence")], [mlo]), **given)
    draft = Draft.of(result, [mlo], device)
    objects = finished(draft)
    assert any("%" in str(i.get("TextValue", "")) for one in objects for i in tree.items(one.ds))
    validate(draft, objects)


def test_the_prevalence_of_training_is_refused_beside_it(device: DeviceIdentity, mlo: SourceImage) -> None:
    """Only the bundle's own sentence passes, not ours with a number behind it."""
    model = replace(builders.MODEL, training_summary="35 % node-positive")
    draft = Draft.of(builders.result([NoEstimate(Side.L, "too little evidence")], [mlo], model=model), [mlo], device)
    objects = finished(draft)
    learnt = draft.words.training(model, with_figures=False)
    for one in objects:
        for item in tree.items(one.ds):
            if item.get("TextValue") == learnt:
                item.TextValue = draft.words.training(model, with_figures=True)
    with pytest.raises(Permanent, match="no_number_without_estimate"):
        validate(draft, objects)


def test_region_on_a_series_of_several_times_is_refused(device: DeviceIdentity) -> None:
    """Objects made for a still series are refused for one that viewers show as 4D."""
    series = builders.uid("4d")
    images = [
        builders.source_image(builders.mammogram(view=v, SeriesInstanceUID=series, TemporalPositionIdentifier=1))
        for v in ("MLO", "CC")
    ]
    draft = Draft.of(builders.result(None, images), images, device)
    objects = finished(draft)
    later = replace(draft.sources[1], temporal_position="2")
    with pytest.raises(Permanent, match="sr:L breaks the rule no_region_on_a_temporal_series"):
        validate(replace(draft, sources=(draft.sources[0], later)), objects)


def test_region_on_a_capture_waits_for_it(draft: Draft, sound: Sequence[Finished]) -> None:
    """An SR that needs what it does not name, or names what it does not need, is refused."""
    objects = [replace(o, needs=("1.2.3",)) if o.slot.role == SR else o for o in sound]
    with pytest.raises(Permanent, match="sr:L breaks the rule needed_captures_are_sent"):
        validate(draft, objects)


def test_region_on_an_image_of_another_study_is_refused() -> None:
    """It would be drawn on nothing that is open, though the image was given to the model."""
    result, images = scenes.everything()
    draft = Draft.of(result, images, DEVICE)
    objects = finished(draft)
    (sr,) = (o.ds for o in objects if o.slot.role == SR)
    image = first(sr, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0]
    elsewhere = {
        s.instance.sop_instance_uid for s in draft.sources if s.instance.study_instance_uid != sr.StudyInstanceUID
    }
    image.ReferencedSOPInstanceUID = min(elsewhere)
    with pytest.raises(Permanent, match="sr:L breaks the rule regions_lie_on_evidence"):
        validate(draft, objects)


def test_evidence_that_leaves_an_image_of_another_study_out_is_refused() -> None:
    """All inputs are named, not those of the index study alone."""
    result, images = scenes.everything()
    draft = Draft.of(result, images, DEVICE)
    objects = finished(draft)
    text = next(o.ds for o in objects if o.slot.role == TEXT)
    del text.PertinentOtherEvidenceSequence[0]
    with pytest.raises(Permanent, match="text_sr breaks the rule evidence_equals_inputs"):
        validate(draft, objects)


def test_region_on_the_other_side_is_refused(device: DeviceIdentity, views: Sequence[SourceImage]) -> None:
    """The answer for one axilla never lies on the other breast."""
    wrong = builders.influence(views[3], side="L")
    draft = Draft.of(builders.result(None, views, [wrong]), views, device)
    objects = finished(draft)
    with pytest.raises(Permanent, match="side_equals_the_image"):
        validate(draft, objects)


def test_demonstration_that_is_not_said_is_refused(draft: Draft, sound: Sequence[Finished]) -> None:
    """A text of a demonstration model says that it is one."""
    result = replace(draft.result, model=builders.DEMONSTRATION_MODEL)
    with pytest.raises(Permanent, match="text_sr breaks the rule text_states_its_limits"):
        validate(replace(draft, result=result), [o for o in sound if o.slot.role == TEXT])


def test_category_that_the_result_does_not_have_is_refused(draft: Draft, sound: Sequence[Finished]) -> None:
    """Objects made from another result are refused."""
    answers = (replace(draft.result.estimates[0], category=Category.LOW), *draft.refused)
    other = replace(draft.result, answers=answers)
    with pytest.raises(Permanent, match="category_equals_the_result"):
        validate(Draft.of(other, [builders.source_image()], DEVICE), sound)


def twin(objects: Sequence[Finished], role: str, **changed: str) -> list[Finished]:
    """Repeat one object with other attributes."""
    one = next(o for o in objects if o.slot.role == role)
    ds = deepcopy(one.ds)
    for keyword, new in changed.items():
        setattr(ds, keyword, new)
    return [*objects, replace(one, ds=ds)]


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("every_object_has_its_own_uid", lambda o: twin(o, HEATMAP)),
        ("one_document_a_series", lambda o: twin(o, SR, SOPInstanceUID="1.2.3")),
        ("tracking_uids_are_unique", lambda o: twin(o, SR, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")),
        ("one_text", lambda o: twin(o, TEXT, SOPInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")),
        ("one_text", lambda o: [x for x in o if x.slot.role != TEXT]),
        ("every_answer_is_in_a_picture", lambda o: [x for x in o if x.slot.role != SUMMARY]),
    ],
)
def test_objects_that_do_not_fit_together_are_refused(
    draft: Draft, sound: Sequence[Finished], rule: str, spoil: Callable[[Sequence[Finished]], list[Finished]]
) -> None:
    """Rules about all objects of a result."""
    with pytest.raises(Permanent, match=f"together break the rule {rule}$"):
        validate(draft, spoil(sound))


def test_every_rule_has_something_that_breaks_it() -> None:
    """A rule that nothing can break checks nothing."""
    elsewhere = {
        *("no_number_without_estimate", "no_region_on_a_temporal_series", "needed_captures_are_sent"),
        "regions_lie_on_evidence",
        *(holds.__name__ for holds in OF_OTHER_KINDS),
        *("regions_name_their_frame", "regions_lie_on_their_half", "text_states_what_it_supersedes"),
    }
    assert {r.name for r in RULES} == {b[0] for b in BROKEN} | elsewhere | OF_COMPARISONS
    assert len(rules_set.RULES) == 5


def test_refusal_holds_no_patient_data(draft: Draft, sound: Sequence[Finished], left: Result) -> None:
    """The message names rule and role only."""
    objects = [replace(o, ds=deepcopy(o.ds)) for o in sound]
    objects[0].ds.PatientName = "CANARY^NAME"
    with pytest.raises(Permanent) as refused:
        validate(draft, objects)
    assert "CANARY" not in str(refused.value)
    assert left.patient.patient_id not in str(refused.value)
