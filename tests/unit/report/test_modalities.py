"""Results that rest on ultrasound and dynamic MR beside mammograms and facts."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind, Result, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.heatmap import caption
from agent.report.text_sr import text_report
from agent.report.validate import validate
from tests import builders
from tests.unit.report import alone, scenes
from tests.unit.report.conftest import DEVICE, Read, colourfulness

PARTS = ("BREAST", "AXILLA", "SMITH")
SUMMARY = "secondary_capture::1"
TOP = 464  # of the panels


def captions(result: Result, images: list[SourceImage]) -> list[str]:
    """Return the captions of all heatmaps."""
    draft = Draft.of(result, images, DEVICE)
    return [caption(draft.words, p.source, e.side) for e in draft.ranked for p in draft.places(e)]


def test_every_modality_has_its_picture(composer: Composer) -> None:
    """Index study first: the two ultrasound images, the MR's key slice, the mammograms."""
    result, images = scenes.everything()
    objects = Read(composer(result, images))
    assert objects.roles == ["sr:L", "text_sr", SUMMARY, *(f"secondary_capture:L:{n}" for n in range(1, 6))]
    assert captions(result, images) == [
        "Ultrasound, left breast, series 2, image 1",
        "Ultrasound, left breast, series 2, image 2",
        "MRI, left breast, series 5, image 2",
        "Mammogram, left MLO",
        "Mammogram, left CC",
    ]
    assert {o.study_instance_uid for o in objects.objects} == {i.instance.study_instance_uid for i in images}


def test_captures_are_small(composer: Composer) -> None:
    """No picture is wider than a viewer's half screen needs, nor heavier than 6 MB."""
    result, images = scenes.everything()
    for one in composer(result, images):
        assert len(one.encoded) < 6_000_000


def test_only_key_images_have_pictures(composer: Composer) -> None:
    """Of eight ultrasound images the three with the most influence, whichever way it went; the text counts the rest."""
    stills = [scenes.source(scenes.ultrasound(number=n)) for n in range(1, 9)]
    shares = (0.1, -0.5, 0.2, 0.3, -0.1, 0.0, 0.4, 0.05)
    found = [builders.influence(s, 40, 30, contribution=c) for s, c in zip(stills, shares, strict=True)]
    result = builders.result(None, stills, found)
    objects = Read(composer(result, stills))
    assert sum(o.kind is Kind.SECONDARY_CAPTURE for o in objects.objects) == 1 + 3
    assert [c[-1] for c in captions(result, stills)] == ["2", "7", "4"]
    said = [i.TextValue for i in tree.items(objects["text_sr"]) if i.ValueType == "TEXT"]
    assert "Heatmaps are made of the images with the most influence; 5 more had some." in said
    assert "Images used: 8 ultrasound images." in said


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("to_left", [True, False])
def test_side_of_the_answer_is_marked_on_both_breasts(side: str, *, to_left: bool) -> None:
    """The yellow half above the picture is the patient's side, whichever way the columns run."""
    ds = scenes.mr(1, 1, ImageOrientationPatient=[1 if to_left else -1, 0, 0, 0, 1, 0])
    image = scenes.source(ds)
    x = 70 if (side == "L") == to_left else 26
    influence = builders.influence(image, x, 20, side=side)
    result = builders.result([builders.estimate(side)], [image], [influence])
    pixels = alone.pictures(result, [image])[f"secondary_capture:{side}:1"].pixel_array
    bar = pixels[TOP + 42, 2:598]  # of the left panel
    yellow = (bar == (255, 235, 90)).all(axis=1)
    halves = yellow[10:290].all(), yellow[310:590].all()
    assert halves == ((side == "R") == to_left, (side == "L") == to_left)
    overlay = pixels[TOP + 56 : TOP + 346, :600]
    columns = np.nonzero(colourfulness(overlay) > 60)[1]
    assert (columns.mean() > 300) == halves[1]  # the influence is below the mark


def test_image_of_one_breast_has_no_marks() -> None:
    """Nor has one of which nobody knows how its columns run."""
    for ds in (scenes.mr(1, 1, ImageLaterality="L"), scenes.mr(1, 1, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])):
        image = scenes.source(ds)
        result = builders.result(None, [image], [builders.influence(image, 60, 20, side="L")])
        pixels = alone.pictures(result, [image])["secondary_capture:L:1"].pixel_array
        assert not (pixels[TOP - 14 : TOP + 66] == (255, 235, 90)).all(axis=2).any()


def region(**more: float) -> Dataset:
    """Return a two-dimensional tissue region (PS3.3 C.8.5.5): rows 10 to 69, columns 30 to 109."""
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 30, 10
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 109, 69
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


WHOLE = region(RegionLocationMinX0=0, RegionLocationMinY0=0, RegionLocationMaxX1=119, RegionLocationMaxY1=89)


def framed() -> tuple[Dataset, np.ndarray]:
    """Return an ultrasound image with a white border, as where names stand, and a field of view of 60 x 80."""
    image_hw = np.full((90, 120), 255, np.uint8)
    image_hw[10:70, 30:110] = 60
    return scenes.ultrasound(SequenceOfUltrasoundRegions=[region()]), image_hw


@pytest.mark.parametrize("reduce_by", [1, 2])
def test_only_the_field_of_view_of_an_ultrasound_is_shown(reduce_by: int) -> None:
    """What stands beside it may be a name: no pixel of it is in the picture, and influence stays where it was."""
    ds, image_hw = framed()
    image = scenes.source(ds, image_hw[::reduce_by, ::reduce_by])
    result = builders.result(None, [image], [builders.influence(image, 50, 50)])
    capture = alone.pictures(result, [image])["secondary_capture:L:1"]
    assert capture.BurnedInAnnotation == "NO"
    height = round(60 * 596 / 80)
    panel = capture.pixel_array[TOP : TOP + height, 602:1198]
    assert (panel == 60).all()
    overlay = capture.pixel_array[TOP : TOP + height, 2:598]
    rows, columns = np.nonzero(colourfulness(overlay) > 60)
    scale = 596 / 80
    assert rows.mean() / scale + 10 == pytest.approx(50, abs=2)
    assert columns.mean() / scale + 30 == pytest.approx(50, abs=2)


def test_what_lies_beside_every_region_is_black() -> None:
    """Where no field of view is taken out of the frame, two regions stay, and no pixel that may be a name."""
    _, image_hw = framed()
    odd = {"PhysicalDeltaX": 0.05}
    halves = [region(RegionLocationMaxX1=60, **odd), region(RegionLocationMinX0=71, RegionSpatialFormat=3, **odd)]
    for words, shown in (("YES", 0), ("", 0), ("NO", 255)):
        ds = scenes.ultrasound(SequenceOfUltrasoundRegions=halves, BurnedInAnnotation=words)
        image = scenes.source(ds, image_hw)
        result = builders.result(None, [image], [builders.influence(image, 50, 50)])
        capture = alone.pictures(result, [image])["secondary_capture:L:1"]
        assert capture.BurnedInAnnotation == "NO"
        scale = 596 / 120
        panel = capture.pixel_array[TOP : TOP + int(90 * scale), 602:1198, 0]
        assert panel.max() == (shown or 60)
        assert panel[int(30 * scale), int(65 * scale)] == (60 if shown else 0)  # between the two
        assert panel[int(5 * scale), int(65 * scale)] == shown
        assert (panel[int(30 * scale), [int(50 * scale), int(90 * scale)]] == 60).all()


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "YES"),
        ({"BurnedInAnnotation": "YES"}, "YES"),
        ({"BurnedInAnnotation": "NO"}, "NO"),
        ({"SequenceOfUltrasoundRegions": [region(RegionLocationMaxX1=500)]}, "YES"),  # a region that cannot be
        ({"SequenceOfUltrasoundRegions": [region()], "BurnedInAnnotation": "YES"}, "NO"),  # names stand beside it
        ({"SequenceOfUltrasoundRegions": [WHOLE], "BurnedInAnnotation": "YES"}, "YES"),
        ({"SequenceOfUltrasoundRegions": [region(RegionSpatialFormat=5)], "BurnedInAnnotation": "YES"}, "YES"),
        ({"SequenceOfUltrasoundRegions": [region(PhysicalDeltaX=0.05)]}, "NO"),  # pixels that are not square
    ],
)
def test_ultrasound_that_may_show_a_name_says_so(attributes: dict[str, object], said: str) -> None:
    """Where the whole frame is shown, only the source's own word is enough for "no name"."""
    image = scenes.source(scenes.ultrasound(**attributes))
    made = alone.pictures(builders.result(None, [image], [builders.influence(image, 50, 50)]), [image])
    assert made["secondary_capture:L:1"].BurnedInAnnotation == said


def test_axilla_is_named_and_nothing_else_of_the_body_part() -> None:
    """Free text in Body Part Examined is not repeated; long numbers, which may be dates, neither."""
    named = [
        (scenes.ultrasound(BodyPartExamined="AXILLA", SeriesNumber=20260105), "Ultrasound, left axilla, image 1"),
        (scenes.ultrasound(BodyPartExamined="SMITH", InstanceNumber=None), "Ultrasound, left, series 2"),
    ]
    for ds, said in named:
        image = scenes.source(ds)
        assert captions(builders.result(None, [image]), [image]) == [said]


def test_picture_of_the_axilla_is_of_that_body_part() -> None:
    """Body Part Examined is the source's where that is the axilla, else the breast."""
    stills = [scenes.source(scenes.ultrasound(number=n, BodyPartExamined=p)) for n, p in enumerate(PARTS, start=1)]
    found = [builders.influence(s, 40, 30, contribution=0.9 / n) for n, s in enumerate(stills, start=1)]
    objects = alone.pictures(builders.result(None, stills, found), stills)
    parts = [objects[f"secondary_capture:L:{n}"].BodyPartExamined for n in (1, 2, 3)]
    assert parts == ["BREAST", "AXILLA", "BREAST"]


@pytest.mark.parametrize(("contribution", "on_the_axilla"), [(0.1, True), (-0.3, True), (0.09, False)])
def test_region_lies_on_an_image_of_the_axilla_where_one_had_influence(
    contribution: float, *, on_the_axilla: bool
) -> None:
    """The stronger image is of the breast; the answer is of the axilla. What hardly moved it carries no region."""
    stills = [scenes.source(scenes.ultrasound(number=n, BodyPartExamined=p)) for n, p in enumerate(PARTS[:2])]
    found = [builders.influence(s, 40, 30, contribution=c) for s, c in zip(stills, (0.9, contribution), strict=True)]
    objects = alone.reports(builders.result(None, stills, found), stills)
    on = next(i for i in tree.items(objects["sr:L"]) if i.ValueType == "SCOORD").ContentSequence[0]
    wanted = stills[1 if on_the_axilla else 0].instance.sop_instance_uid
    assert on.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == wanted


def test_image_of_the_axilla_in_an_older_study_carries_no_region() -> None:
    """A region lies where the report does: in the newest study used."""
    axilla = scenes.source(scenes.ultrasound(study="old", day=date(2026, 1, 2), BodyPartExamined="AXILLA"))
    breast = scenes.source(scenes.ultrasound())
    found = [builders.influence(s, 40, 30, contribution=0.9) for s in (axilla, breast)]
    objects = alone.reports(builders.result(None, [axilla, breast], found), [axilla, breast])
    assert objects["sr:L"].StudyInstanceUID == breast.instance.study_instance_uid


def test_page_that_does_not_say_what_it_supersedes_is_refused(composer: Composer) -> None:
    """Version 2 beside version 1: nothing else tells them apart."""
    result, images = scenes.everything()
    before = {o.role: o.reference for o in composer(result, images)}
    draft = Draft.of(result, images, DEVICE)
    made = [text_report(draft), *(c.finished for c in captures(draft))]
    later = replace(draft, result=replace(result, version=2, predecessors=before))
    for one in made:
        one.ds.SeriesDescription = one.ds.SeriesDescription.replace("v1", "v2")
    with pytest.raises(Permanent, match="text_sr breaks the rule text_states_what_it_supersedes"):
        validate(later, made)


def test_bilateral_mr_serves_both_answers(composer: Composer) -> None:
    """One slice for both axillae: a capture each, each with its side."""
    _, images = scenes.mr_alone()
    answers = [builders.estimate("L", 0.3), builders.estimate("R", 0.6)]
    found = [scenes.mr_influence(images[0], side) for side in "LR"]
    objects = Read(composer(builders.result(answers, images, found), images))
    assert objects.roles == ["sr:R", "sr:L", "text_sr", SUMMARY, "secondary_capture:R:1", "secondary_capture:L:1"]
    first, second = (objects[f"secondary_capture:{side}:1"] for side in "RL")
    assert (first.ImageLaterality, second.ImageLaterality) == ("R", "L")
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert not np.array_equal(first.pixel_array[160:TOP], second.pixel_array[160:TOP])


def test_real_patient_is_told_that_a_demonstration_does_not_answer() -> None:
    """Said in the text and in the picture, without any number."""
    image = builders.source_image()
    answer = NoEstimate(Side.L, "a demonstration model never answers for a real patient")
    result = builders.result([answer], [], modalities_missing=(), model=builders.DEMONSTRATION_MODEL)
    said = [i.TextValue for i in tree.items(alone.page(result, [image])) if i.ValueType == "TEXT"]
    assert "A demonstration model is for synthetic patients only: it gives no estimate for a real one." in said
    assert "LEFT axilla: no estimate. Reason: a demonstration model never answers for a real patient." in said
    assert not any(t.startswith("Not available") for t in said)


def test_scale_is_drawn_without_thresholds() -> None:
    """A bundle without operating points has no zones; the answer is drawn all the same."""
    image = builders.source_image()
    with_points = builders.result(None, [image])
    bare = replace(with_points, operating_points=())
    low_only = replace(with_points, operating_points=builders.POINTS[:1])
    heads = [
        alone.pictures(r, [image])["secondary_capture:L:1"].pixel_array[300:412] for r in (with_points, bare, low_only)
    ]
    assert not any(np.array_equal(heads[a], heads[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_hundreds_of_images_stay_one_document() -> None:
    """A dynamic MR of 192 images and more: each is evidence, and in the library once."""
    phases = [scenes.source(scenes.mr(p, s, day=date(2026, 1, 5))) for p in range(4) for s in range(48)]
    key = phases[60]
    result = builders.result(
        None, [], [scenes.mr_influence(key, "L")], used=tuple(p.instance for p in phases), **scenes.ALL
    )
    document = alone.reports(result, phases)["sr:L"]
    named = [
        i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for i in tree.items(tree.named(document, codes.IMAGE_LIBRARY)[0])
        if i.ValueType == "IMAGE"
    ]
    assert len(named) == len(set(named)) == 192
