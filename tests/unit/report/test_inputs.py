"""Sentences on the evidence."""

from dataclasses import replace

from agent.core.prediction import NoEstimate, Side
from agent.core.result import LeftOut
from agent.report import inputs
from agent.report.words import Words
from tests import builders
from tests.unit.report import scenes

EVERYTHING = "Every kind of input that the model reads was available."
WORDS = Words.of("aln")
LATE = "not taken before surgery or treatment began"


def test_images_are_counted_in_words() -> None:
    """Each modality in its own words, with the number of studies."""
    result, _ = scenes.everything()
    assert inputs.images_used(WORDS, result) == (
        "Images used: 2 ultrasound images, 12 MR images, 2 mammograms (left CC, left MLO), from 3 studies."
    )
    one = builders.result(None, [builders.source_image()])
    assert inputs.images_used(WORDS, one) == "Images used: 1 mammogram (left MLO)."
    assert inputs.images_used(WORDS, builders.result(None, [], [])) == "Images used: none."


def test_views_of_mammograms_are_named() -> None:
    """Each once, with its number where there are several; a view that is not there is seen to be missing."""
    taken = [("L", "CC"), ("L", "MLO"), ("L", "CC"), ("R", "MLO")]
    images = [builders.source_image(builders.mammogram(s, v, study=str(n))) for n, (s, v) in enumerate(taken)]
    assert inputs.images_used(WORDS, builders.result(None, images, [])) == (
        "Images used: 4 mammograms (2 left CC, left MLO, right MLO), from 4 studies."
    )
    nameless = replace(images[0], instance=replace(images[0].instance, laterality="", view_position=""))
    assert (
        inputs.images_used(WORDS, builders.result(None, [nameless], [])) == "Images used: 1 mammogram (view unknown)."
    )


def test_left_out_inputs_are_grouped_by_reason() -> None:
    """One line a reason, not one an image, and no identifiers."""
    items = (
        *(LeftOut(f"1.2.{n}", f"{LATE}.", "MG") for n in range(4)),
        LeftOut("1.2.8", LATE, "US"),
        LeftOut("1.2.9", "the model does not use MR", "MR"),
        LeftOut("1.2.10", "unreadable"),
        LeftOut("grade", "became known on or after surgery"),
        LeftOut("ki67_percent", "became known on or after surgery"),
        LeftOut("her2", "a value that the model does not know"),
    )
    result = builders.result(None, [builders.source_image()], left_out=items)
    assert inputs.left_out(WORDS, result, ()) == [
        f"Not used: 4 mammograms, 1 ultrasound image: {LATE}.",
        "Not used: 1 MR image: the model does not use MRI.",
        "Not used: 1 image: unreadable.",
        "Clinical facts not used: grade, Ki-67: became known on or after surgery.",
        "Clinical facts not used: HER2: a value that the model does not know.",
    ]


def test_images_that_nobody_looked_at_are_counted() -> None:
    """Where there is no estimate the images at hand are named, those with a reason of their own apart."""
    refused = [NoEstimate(Side.L, "no")]
    images = [builders.source_image(builders.mammogram(view=v)).instance for v in ("CC", "MLO")]
    result = builders.result(refused, [], modalities_missing=())
    assert inputs.left_out(WORDS, result, images) == ["Not used, because no estimate can be given: 2 mammograms."]
    late = (LeftOut(images[0].sop_instance_uid, LATE, "MG"),)
    assert inputs.left_out(WORDS, builders.result(refused, [], left_out=late), images) == [
        "Not used, because no estimate can be given: 1 mammogram.",
        f"Not used: 1 mammogram: {LATE}.",
    ]
    assert inputs.left_out(WORDS, builders.result(None, []), images) == []


def test_what_is_missing_is_not_said_where_nobody_looked() -> None:
    """Without an estimate "nothing is missing" would be wrong; what is known to be missing is said."""
    refused = [NoEstimate(Side.L, "no")]
    assert inputs.missing(WORDS, builders.result(refused, [], modalities_missing=())) == ""
    assert inputs.missing(WORDS, builders.result(refused, [], modalities_missing=("MR",))) == "Not available: MRI."
    assert inputs.missing(WORDS, builders.result(None, [], modalities_missing=())) == EVERYTHING


def test_heatmaps_left_away_are_said() -> None:
    """Only where there are more influences than heatmaps."""
    result, _ = scenes.everything()
    assert inputs.shown(WORDS, result, 5) == []
    assert inputs.shown(WORDS, result, 3) == [
        "Heatmaps are made of the images with the most influence; 2 more had some."
    ]
