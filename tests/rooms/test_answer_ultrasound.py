"""Ultrasound images of the newest examination of a side are used, in any order and number up to eight."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from agent.core.prediction import Side
from agent.dicom.geometry import DOPPLER
from agent.infer.ultrasound import OLDER, TOO_MANY
from tests.builders import mammogram, uid
from tests.builders_us_mr import US_COLUMNS, US_ROWS, ultrasound
from tests.infer_scene import BOTH_SIDES, Scene, findings

OLD, NEW = date(2025, 12, 1), date(2026, 1, 5)


def names(study: str, side: str, *numbers: int) -> set[str]:
    """SOP Instance UIDs of stills."""
    return {uid(study, side, number) for number in numbers}


def broken(number: int, **more: Any) -> Dataset:
    """A still whose pixels are cut off."""
    return ultrasound("L", number, PixelData=b"\0\0", **more)


def test_every_still_of_the_side_is_used_with_its_own_influence(wide: Scene) -> None:
    """The saliency lies where the image is bright; what ultrasound contributed is divided."""
    case = wide.ready([ultrasound("L", 1, bright=(20, 55)), ultrasound("L", 2, bright=(40, 12))])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1, 2)
    (estimate,) = wide.result.estimates
    assert estimate.contributions["US"] > 0
    assert sum(i.contribution for i in wide.result.influences) == pytest.approx(estimate.contributions["US"], abs=1e-5)
    peaks = {
        i.sop_instance_uid: np.unravel_index(i.saliency_hw.argmax(), i.saliency_hw.shape)
        for i in wide.result.influences
    }
    for number, place in ((1, (20, 55)), (2, (40, 12))):
        assert (
            np.hypot(*(np.array(peaks[uid("u1", "L", number)]) - place)) <= 6
        )  # half a block of the tiny graph, across
    assert all(i.saliency_hw.shape == (US_ROWS, US_COLUMNS) for i in wide.result.influences)


def test_each_side_gets_its_own_stills(wide: Scene) -> None:
    """An examination of both breasts answers for both axillae."""
    case = wide.ready([ultrasound("L", 1), ultrasound("R", 1), ultrasound("R", 2)], findings(axillae=BOTH_SIDES))
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1) | names("u1", "R", 1, 2)
    assert sorted((i.side, i.sop_instance_uid) for i in wide.result.influences) == sorted(
        [("L", uid("u1", "L", 1)), ("R", uid("u1", "R", 1)), ("R", uid("u1", "R", 2))]
    )


def test_the_newest_examination_of_each_side_is_used(wide: Scene) -> None:
    """The older one is left out, on the side that has a newer one."""
    case = wide.ready(
        [
            ultrasound("L", 1, study="old", day=OLD),
            ultrasound("R", 1, study="old", day=OLD),
            ultrasound("L", 1, study="new", day=NEW),
        ],
        findings(axillae=BOTH_SIDES),
    )
    wide.worker().step()
    assert wide.used(case) == names("new", "L", 1) | names("old", "R", 1)
    assert wide.left_out(case) == {uid("old", "L", 1): OLDER}


def test_an_older_examination_stands_in_for_one_that_cannot_be_used(wide: Scene) -> None:
    """The damaged still is quarantined."""
    case = wide.ready([ultrasound("L", 1, study="old", day=OLD), broken(1, study="new", day=NEW)])
    wide.worker().step()
    assert wide.used(case) == names("old", "L", 1)
    assert [name for name, _, _ in wide.quarantined] == [uid("new", "L", 1)]


def test_an_examination_after_the_cutoff_is_left_out(wide: Scene) -> None:
    """Surgery changes what it shows."""
    case = wide.ready(
        [ultrasound("L", 1, day=NEW), ultrasound("L", 1, study="old", day=OLD)], findings(cutoff="2026-01-05")
    )
    wide.worker().step()
    assert wide.used(case) == names("old", "L", 1)
    assert "before surgery" in wide.left_out(case)[uid("u1", "L", 1)]


def test_eight_images_are_used_and_further_ones_are_named(wide: Scene) -> None:
    """A damaged one does not take a place; stills go before clips."""
    clip = ultrasound("L", 0, NumberOfFrames=2, PixelData=ultrasound("L", 0).PixelData * 2)
    case = wide.ready([clip, broken(1), *(ultrasound("L", number) for number in range(2, 11))])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", *range(2, 10))
    assert wide.left_out(case)[uid("u1", "L", 10)] == wide.left_out(case)[uid("u1", "L", 0)] == TOO_MANY
    assert [name for name, _, _ in wide.quarantined] == [uid("u1", "L", 1)]


def test_a_clip_alone_is_used(wide: Scene) -> None:
    """By one frame of it, which the report is told."""
    still = ultrasound("L", 1)
    case = wide.ready([ultrasound("L", 1, NumberOfFrames=3, PixelData=still.PixelData * 3)])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1)
    assert [source.frame for source in wide.sources] == [2]


@pytest.mark.parametrize("laterality", ["", "B"])
def test_an_image_of_no_side_is_left_out(wide: Scene, laterality: str) -> None:
    """Nobody guesses of which breast it is."""
    case = wide.ready([ultrasound("L", 1, ImageLaterality=laterality)])
    wide.worker().step()
    assert wide.left_out(case) == {uid("u1", "L", 1): "the image does not say of which breast it is"}
    assert wide.result.modalities_missing == ("MG", "US", "MR")


def test_an_image_of_an_impossible_scale_is_left_out_but_not_quarantined(wide: Scene) -> None:
    """The object is sound; the model cannot use it."""
    case = wide.ready([ultrasound("L", 1, PixelSpacing=[0.8, 0.1])])
    wide.worker().step()
    assert "not square" in wide.left_out(case)[uid("u1", "L", 1)]
    assert wide.quarantined == []


def test_a_doppler_image_is_left_out_but_not_quarantined(wide: Scene) -> None:
    """The model has seen no colour and no spectrum; the greyscale image beside it is used."""
    flow = Dataset()
    flow.RegionSpatialFormat, flow.RegionDataType = 1, 2
    case = wide.ready(
        [
            ultrasound("L", 1),
            ultrasound("L", 2, SequenceOfUltrasoundRegions=[flow]),
            ultrasound("L", 3, ImageType=["ORIGINAL", "PRIMARY", "BREAST", "0011"]),
        ]
    )
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1)
    assert wide.left_out(case) == dict.fromkeys(names("u1", "L", 2, 3), DOPPLER)
    assert wide.quarantined == []


def test_a_blank_image_is_quarantined(wide: Scene) -> None:
    """There is nothing to see."""
    wide.ready([ultrasound("L", 1, PixelData=bytes(US_ROWS * US_COLUMNS))])
    wide.worker().step()
    assert [reason for _, _, reason in wide.quarantined] == ["the image is blank"]


def test_a_bundle_of_mammograms_leaves_ultrasound_out(scene: Scene) -> None:
    """With the reason, as before."""
    case = scene.ready([mammogram("L", "CC"), ultrasound("L", 1)])
    scene.worker().step()
    assert scene.used(case) == {uid("s1", "L", "CC")}
    assert scene.left_out(case) == {uid("u1", "L", 1): "the model does not use US"}
    assert [answer.side for answer in scene.result.estimates] == [Side.L]


def node(number: int, **more: Any) -> Dataset:
    """A still of the axilla."""
    return ultrasound("L", number, BodyPartExamined="AXILLA", **more)


def tumour(number: int, **more: Any) -> Dataset:
    """A still of the tumour."""
    return ultrasound("L", number, BodyPartExamined="BREAST", **more)


def test_the_node_may_be_of_another_examination_than_the_tumour(wide: Scene) -> None:
    """Of each the newest one; an older one that does not say what it shows is left out."""
    old, older = {"study": "old", "day": OLD}, {"study": "older", "day": date(2025, 11, 1)}
    case = wide.ready([tumour(1), node(1, **old), tumour(2, **old), ultrasound("L", 3, **old), node(4, **older)])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1) | names("old", "L", 1)
    assert wide.left_out(case) == dict.fromkeys(names("old", "L", 2, 3) | names("older", "L", 4), OLDER)


def test_an_image_that_does_not_say_what_it_shows_is_used_beside_an_older_node(wide: Scene) -> None:
    """It is of the newest examination."""
    case = wide.ready([ultrasound("L", 1), node(1, study="old", day=OLD)])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1) | names("old", "L", 1)


def test_an_older_node_stands_in_for_one_that_is_damaged(wide: Scene) -> None:
    """The tumour of the newer examination is used."""
    case = wide.ready([tumour(1), node(2, PixelData=b"\0\0"), node(1, study="old", day=OLD)])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 1) | names("old", "L", 1)


def test_the_places_are_shared_between_node_and_tumour(wide: Scene) -> None:
    """Four each; where one has fewer, the other gets the rest."""
    case = wide.ready([*(tumour(number) for number in range(1, 9)), *(node(number) for number in range(9, 15))])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", *range(1, 5), *range(9, 13))
    assert set(wide.left_out(case).values()) == {TOO_MANY}
    case = wide.ready([*(tumour(n, study="u2") for n in range(1, 9)), node(9, study="u2")], number=1)
    wide.worker().step()
    assert wide.used(case) == names("u2", "L", *range(1, 8), 9)


def test_an_ultrasound_of_another_part_is_left_out(wide: Scene) -> None:
    """By the rule that says so."""
    case = wide.ready([ultrasound("L", 1, BodyPartExamined="THYROID"), tumour(2)])
    wide.worker().step()
    assert wide.used(case) == names("u1", "L", 2)
    assert wide.left_out(case) == dict.fromkeys(names("u1", "L", 1), "an ultrasound of another part of the body [US-9]")
