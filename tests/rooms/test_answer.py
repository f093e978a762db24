"""A worker answers what is ready, once, with everything that it could use."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from agent.core.case import CaseEvent, CaseState
from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.facts import SIDE_UNSAID, About
from agent.core.prediction import Category, Estimate, NoEstimate, Side
from agent.core.result import Kind, LeftOut
from agent.infer.compute import NO_EVIDENCE
from agent.infer.engine import Engine
from agent.infer.estimate import log_odds, sigmoid
from tests.builders import mammogram, uid
from tests.builders_bundle import BIAS, GAIN, PREVALENCE, SD, WEIGHT
from tests.infer_scene import BOTH_SIDES, T0, Scene, facts, findings, four_views, load_engine

NOTHING = ClinicalFacts()


def only(scene: Scene) -> Estimate:
    """The one estimate of the last result."""
    (estimate,) = scene.result.answers
    assert isinstance(estimate, Estimate)
    return estimate


def test_without_a_case_there_is_nothing_to_do(scene: Scene) -> None:
    """A step says so."""
    assert scene.worker().step() is False


def test_a_case_is_answered_from_its_facts_and_its_images(scene: Scene) -> None:
    """The numbers are those that the graph gives for this side's images and these facts."""
    case = scene.ready(four_views())
    assert scene.worker().step() is True
    assert scene.case(case).state is CaseState.DELIVERING
    estimate = only(scene)
    clinical = WEIGHT * 2  # two facts, each one standard deviation above the mean
    assert estimate.side is Side.L
    assert estimate.contributions["prior"] == pytest.approx(BIAS)
    assert estimate.contributions["clinical"] == pytest.approx(clinical)
    logit = sum(estimate.contributions.values())
    assert estimate.probability == pytest.approx(sigmoid(logit))
    assert estimate.low == pytest.approx(sigmoid(logit - 1.96 * SD))
    assert estimate.high == pytest.approx(sigmoid(logit + 1.96 * SD))
    assert 0 < estimate.contributions["MG"] < 2 * GAIN


def test_the_images_of_the_other_side_are_left_out(scene: Scene) -> None:
    """With the reason, in the result and in the state; this side's are marked as used."""
    case = scene.ready(four_views())
    scene.worker().step()
    left, right = ({uid("s1", side, view) for view in ("CC", "MLO")} for side in "LR")
    assert {i.sop_instance_uid for i in scene.result.used} == left
    assert scene.used(case) == left
    assert set(scene.left_out(case)) == right
    assert {x.what for x in scene.result.left_out} == right
    assert {x.modality for x in scene.result.left_out} == {"MG"}
    assert all("right breast" in reason for reason in scene.left_out(case).values())


def test_both_axillae_are_answered_in_one_run_the_higher_risk_first(scene: Scene) -> None:
    """Each from its own side's images."""
    right = [mammogram("R", "CC"), mammogram("R", "MLO")]
    scene.ready([mammogram("L", "CC"), *right], findings(axillae=BOTH_SIDES))
    scene.worker().step()
    first, second = scene.result.answers
    assert isinstance(first, Estimate)
    assert isinstance(second, Estimate)
    assert (first.side, second.side) == (Side.R, Side.L)  # two views say more than one
    assert first.probability > second.probability
    assert [i.side for i in scene.result.influences] == ["L", "R", "R"]


def test_of_two_diseased_sides_no_tumours_facts_are_used(scene: Scene) -> None:
    """Her age counts for both axillae; her tumour's size counts for none, and is named with the reason."""
    scene.ready(four_views(), findings(axillae=BOTH_SIDES))
    scene.worker().step()
    for estimate in scene.result.estimates:
        assert estimate.contributions["clinical"] == pytest.approx(WEIGHT)  # age: one standard deviation
    assert len(scene.result.estimates) == 2
    assert scene.result.facts_used == ("age",)
    assert scene.result.modalities_missing == ()
    assert LeftOut("size_ultrasound_mm", SIDE_UNSAID[About.TUMOUR]) in scene.result.left_out


def test_an_axilla_with_a_reason_gets_no_estimate_beside_one_that_does(scene: Scene) -> None:
    """The reason is the one that was found; the estimate comes first."""
    axillae = ({"side": "R", "reason": "earlier surgery there"}, {"side": "L", "reason": ""})
    scene.ready(four_views(), findings(axillae=axillae))
    scene.worker().step()
    estimate, refusal = scene.result.answers
    assert isinstance(estimate, Estimate)
    assert refusal == NoEstimate(Side.R, "earlier surgery there")


def test_an_unasked_version_names_its_model(scene: Scene, tiny_engine: Engine) -> None:
    """Name, version, digest and intended use, and what is the same for every answer."""
    scene.ready(four_views())
    scene.worker().step()
    result = scene.result
    assert result.model == tiny_engine.identity
    assert result.model.intended_use == "demonstration"
    assert result.made_at == T0
    assert result.evidence == ("quiet for 60 s",)
    assert result.facts_used == ("size_ultrasound_mm", "age")
    assert result.modalities_used == ("clinical", "MG")
    assert result.modalities_missing == ()
    assert result.operating_points == tiny_engine.manifest.operating_points


def test_facts_alone_are_answered_and_the_images_are_said_to_be_missing(scene: Scene) -> None:
    """The report still finds a study to go into: the headers of the case's images."""
    scene.ready([mammogram("R", "CC")])
    scene.worker().step()
    assert only(scene).contributions["MG"] == pytest.approx(0)
    assert scene.result.modalities_used == ("clinical",)
    assert scene.result.modalities_missing == ("MG",)
    assert scene.result.influences == ()
    (source,) = scene.sources
    assert source.instance.sop_instance_uid == uid("s1", "R", "CC")
    assert source.header[128:132] == b"DICM"


def test_images_alone_are_answered_and_the_facts_are_said_to_be_missing(scene: Scene) -> None:
    """No fact is guessed."""
    scene.ready(four_views(), findings(NOTHING))
    scene.worker().step()
    assert only(scene).contributions["clinical"] == 0
    assert scene.result.facts_used == ()
    assert scene.result.modalities_missing == ("clinical",)


def test_influence_lies_where_the_image_is_bright(scene: Scene) -> None:
    """The tiny graph's saliency is the image itself: the mass weighs more than the empty corner, on each view."""
    scene.ready(four_views())
    scene.worker().step()
    by_uid = {s.instance.sop_instance_uid: s for s in scene.sources}
    assert len(scene.result.influences) == 2
    for influence in scene.result.influences:
        shape = by_uid[influence.sop_instance_uid].image_hw.shape
        assert influence.saliency_hw.shape == shape
        assert influence.modality == "MG"
        mass = influence.saliency_hw[int(shape[0] * 0.61), int(shape[1] * 0.41)]
        assert mass > 0.5 > influence.saliency_hw[-5, -5]
    total = sum(i.contribution for i in scene.result.influences)
    assert total == pytest.approx(only(scene).contributions["MG"], abs=1e-5)


def test_a_large_image_is_shown_reduced_and_its_influence_with_it(scene: Scene) -> None:
    """The map has the size of the reduced picture."""
    scene.ready([mammogram("L", "CC", rows=2000, columns=1600)])
    scene.worker().step()
    (source,), (influence,) = scene.sources, scene.result.influences
    assert source.reduction == 2.0
    assert source.image_hw.shape == influence.saliency_hw.shape == (1000, 800)
    assert source.image_hw.dtype == np.uint8


def test_the_newest_image_of_each_view_is_used(scene: Scene) -> None:
    """And the index study comes first among what was used."""
    old, new = date(2025, 6, 1), date(2026, 1, 5)
    images = [
        mammogram("L", "CC", study="old", day=old),
        mammogram("L", "MLO", study="old", day=old),
        mammogram("L", "MLO", study="new", day=new),
    ]
    case = scene.ready(images)
    scene.worker().step()
    assert [i.sop_instance_uid for i in scene.result.used] == [uid("new", "L", "MLO"), uid("old", "L", "CC")]
    assert scene.left_out(case) == {uid("old", "L", "MLO"): "a newer image of the same view is used"}


def test_what_surgery_or_treatment_may_have_changed_is_not_used(scene: Scene) -> None:
    """Neither images nor facts of the day of the cutoff."""
    images = [mammogram("L", "CC", day=date(2026, 1, 1)), mammogram("L", "MLO", day=date(2026, 1, 2))]
    late = facts(size_ultrasound_mm=30.0)
    case = scene.ready(images, findings(late, cutoff="2026-01-01"))
    scene.worker().step()
    assert scene.result.answers == (NoEstimate(Side.L, NO_EVIDENCE),)
    assert len(scene.left_out(case)) == 2
    assert all("before surgery" in reason for reason in scene.left_out(case).values())


def test_refused_and_unknown_facts_are_named_without_their_values(scene: Scene, tmp_path: Path) -> None:
    """Those that the model could have used, and what might have spoken against an estimate."""
    spec = {"name": "subtype", "unit": "", "values": ["luminal_a", "her2"], "mean": 0.0, "sd": 1.0}
    size = {"name": "size_ultrasound_mm", "unit": "mm", "mean": 20.0, "sd": 10.0, "low": 2.0, "high": 25.0}
    scene.engine = load_engine(tmp_path / "b", facts=[size, spec])
    names = ("subtype", "quadrant", "node_biopsy")
    refused = [Refusal(name, "not one of its values") for name in names]
    refused.append(Refusal("clinical_n", "became known on or after surgery"))
    known = facts(size_ultrasound_mm=30.0, subtype="canary")
    case = scene.ready(four_views(), findings(known, refused=refused))
    scene.worker().step()
    named = [x for x in scene.result.left_out if x.what in (*names, "clinical_n")]
    assert named == [
        LeftOut("subtype", "not one of its values"),
        LeftOut("node_biopsy", "not one of its values"),
        LeftOut("subtype", "a value that the model does not know"),
    ]
    assert scene.result.evidence[-1] == "Outside the range of the training data: size_ultrasound_mm."
    assert "canary" not in str(scene.summary(case))


def test_a_sites_own_prevalence_shifts_the_answer_and_is_said(scene: Scene) -> None:
    """The shift counts as prior; the category stays, because the thresholds move along."""
    scene.ready(four_views(), number=0)
    scene.worker().step()
    before = only(scene)
    scene.ready(four_views("s2"), number=1)
    scene.worker(site_prevalence=0.1).step()
    after, shift = only(scene), log_odds(0.1) - log_odds(PREVALENCE)
    assert scene.result.site_prevalence == 0.1
    assert log_odds(after.probability) == pytest.approx(log_odds(before.probability) + shift)
    assert after.contributions["prior"] == pytest.approx(BIAS + shift)
    assert after.contributions["MG"] == pytest.approx(before.contributions["MG"])
    assert after.category is before.category
    low, high = scene.result.operating_points
    assert (low.sensitivity, high.specificity) == (0.95, 0.9)
    assert low.threshold == pytest.approx(sigmoid(log_odds(0.2) + shift))


def test_the_summary_holds_what_status_and_tables_show(scene: Scene) -> None:
    """And goes through JSON."""
    case = scene.ready(four_views())
    scene.worker().step()
    summary, estimate = scene.summary(case), only(scene)
    assert summary["answers"] == [
        {
            "side": "L",
            "probability": estimate.probability,
            "low": estimate.low,
            "high": estimate.high,
            "category": estimate.category.value,
            "contributions": dict(estimate.contributions),
        }
    ]
    assert summary["model"] | {"digest": ""} == {
        "name": "tiny",
        "version": "1.0.0",
        "digest": "",
        "intended_use": "demonstration",
        "device": "cpu",
    }
    assert summary["modalities_used"] == ["clinical", "MG"]
    assert len(summary["images_used"]) == len(summary["left_out"]) == 2
    assert Category(summary["answers"][0]["category"])


def test_each_destination_gets_its_kinds_in_order(scene: Scene) -> None:
    """One outbox row for each object it wants."""
    scene.ready(four_views())
    kinds = {"pacs": frozenset(Kind), "viewer": frozenset({Kind.TEXT_SR}), "none": frozenset[Kind]()}
    replace(scene.worker(), destinations=kinds).step()
    with scene.store.unit() as unit:
        rows = [(i.destination, i.kind) for i in unit.outbox_of(1)]
    assert rows == [("pacs", Kind.SR), ("pacs", Kind.TEXT_SR), ("viewer", Kind.TEXT_SR)]


def test_the_next_version_names_the_objects_of_the_one_before(scene: Scene) -> None:
    """By role."""
    first = scene.ready(four_views())
    scene.worker().step()
    assert scene.result.predecessors == {}
    with scene.store.unit() as unit:
        second = unit.open_version(unit.case(first.id), T0)
        unit.save_findings(second, findings())
        unit.apply(second, CaseEvent.COMPLETE, T0)
    scene.worker().step()
    assert scene.result.version == 2
    with scene.store.unit() as unit:
        before = {o.role: o.sop_instance_uid for o in unit.result_objects(first.id)}
    assert {r: x.sop_instance_uid for r, x in scene.result.predecessors.items()} == before
    assert set(before) == {"sr:L", "text_sr:L"}
