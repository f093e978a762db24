"""Segmentations of MR slices: the SR's region, pixel by pixel, as an influence and never as a lesion."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from highdicom.seg import segread

from agent.core.result import Result, ResultObject, SourceImage
from agent.dicom import codes
from agent.report import tree, words
from agent.report.draft import Draft
from agent.report.encode import encode
from agent.report.region import strongest
from agent.report.segmentation import region_mask, segmentations
from tests import builders
from tests.unit.report import overlays, scenes
from tests.unit.report.conftest import DEVICE, Read
from tests.unit.report.overlays import COMPOSER


def made_of(result: Result, images: list[SourceImage]) -> list[ResultObject]:
    """Return the segmentations of a result."""
    return [encode(one) for one in overlays.unencoded(segmentations, result, images)]


def test_segment_is_an_influence() -> None:
    """By category, type and label; model, tracking and disclaimer stand beside it, and no person."""
    objects = Read(COMPOSER(*overlays.slices()))
    ds = objects["segmentation:L:1"]
    segment = ds.SegmentSequence[0]
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Spatial and Relational Concept"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Region of AI influence"
    assert segment.SegmentLabel == "AI influence on L ALN risk"
    assert segment.SegmentAlgorithmName == builders.MODEL.name
    assert words.DISCLAIMER in segment.SegmentDescription
    assert segment.TrackingUID == tree.named(objects["sr:L"], codes.TRACKING_UNIQUE_IDENTIFIER)[0].UID
    assert len(segment.RecommendedDisplayCIELabValue) == 3
    assert "AnatomicRegionSequence" not in segment
    assert "ContentCreatorName" not in ds or not ds.ContentCreatorName
    assert ds.SeriesDescription == "AI ALN risk v1 L segmentation - NOT FOR CLINICAL USE"


def test_segment_lies_on_its_slice() -> None:
    """Read back by highdicom it is the region at its threshold, in the slice's plane, study and frame of reference."""
    result, images = overlays.slices()
    seg = segread(BytesIO(made_of(result, images)[0].encoded))
    source, saliency_hw = images[0], result.influences[0].saliency_hw
    box = strongest(saliency_hw)
    assert box is not None
    wanted_hw = saliency_hw >= 0.5
    inside_hw = np.zeros_like(wanted_hw)
    inside_hw[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
    pixels = seg.get_pixels_by_source_instance([source.instance.sop_instance_uid], combine_segments=True)
    assert np.array_equal(pixels[0] > 0, wanted_hw & inside_hw)
    assert seg.StudyInstanceUID == source.instance.study_instance_uid
    assert seg.FrameOfReferenceUID == overlays.PLACED["FrameOfReferenceUID"]
    assert seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient == [-160, -100, 5]
    assert "SpacingBetweenSlices" not in seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_region_of_a_reduced_map_covers_the_same_pixels(reduction: int) -> None:
    """Each pixel of a reduced map stands for `reduction` pixels of the source along each axis."""
    result, images = overlays.slices()
    rows, columns = 60 // reduction, 96 // reduction
    small = replace(images[0], image_hw=images[0].image_hw[:rows, :columns], reduction=float(reduction))
    saliency_hw = np.zeros((rows, columns), np.float32)
    saliency_hw[5:7, 20:23] = 1
    influence = replace(result.influences[0], saliency_hw=saliency_hw)
    draft = Draft.of(replace(result, influences=(influence,)), [small], DEVICE)
    wanted_hw = np.zeros((60, 96), np.bool_)
    wanted_hw[5 * reduction : 7 * reduction, 20 * reduction : 23 * reduction] = True
    assert np.array_equal(region_mask(draft.places(draft.ranked[0])[0]), wanted_hw)


def test_a_weaker_place_apart_is_no_part_of_it() -> None:
    """The segment is the region that the SR draws, not every place above the threshold."""
    result, images = overlays.slices()
    saliency_hw = result.influences[0].saliency_hw.copy()
    saliency_hw[50:55, 5:10] = 0.8
    influence = replace(result.influences[0], saliency_hw=saliency_hw)
    seg = segread(BytesIO(made_of(replace(result, influences=(influence,)), images)[0].encoded))
    assert not seg.pixel_array[50:55, 5:10].any()
    assert seg.pixel_array.any()


@pytest.mark.parametrize(
    "lacks",
    [
        {"FrameOfReferenceUID": ""},
        {"PixelSpacing": None},
        {"ImageOrientationPatient": [1, 0, 0]},
        {"ImagePositionPatient": ""},
        {"PixelSpacing": ["2", ""]},
        {"PixelSpacing": [2, 0]},
        {"ImageOrientationPatient": [0] * 6},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
    ],
)
def test_slice_that_lies_nowhere_has_none(lacks: dict[str, object]) -> None:
    """What cannot be placed is left to the captures."""
    result, images = scenes.mr_alone(**(overlays.PLACED | lacks))
    assert made_of(result, images) == []


def test_number_that_is_none_counts_as_absent() -> None:
    """A header that breaks the rules costs the segmentation, not the result."""
    result, (image,) = overlays.slices()
    spacing = b"\x28\x00\x30\x00DS\x08\x002.0\\2.0 "
    assert spacing in image.header
    broken = replace(image, header=image.header.replace(spacing, spacing[:8] + b"2,0\\2,0 "))
    assert made_of(result, [broken]) == []


def test_slice_without_thickness_has_one() -> None:
    """Many headers lack it."""
    assert len(made_of(*scenes.mr_alone(**(overlays.PLACED | {"SliceThickness": ""})))) == 1


def test_a_map_without_influence_has_none() -> None:
    """Nothing is no region."""
    result, images = overlays.slices()
    nothing = replace(result.influences[0], saliency_hw=np.zeros_like(result.influences[0].saliency_hw))
    assert made_of(replace(result, influences=(nothing,)), images) == []


def test_slice_of_a_series_with_several_phases_has_one() -> None:
    """A segmentation refers to the slice; viewers show it over a series of several phases, too."""
    images = scenes.dynamic(one_series=True, **overlays.PLACED)
    found = [scenes.mr_influence(images[4], side) for side in "LR"]
    answers = [builders.estimate("L", 0.3), builders.estimate("R", 0.6)]
    made = made_of(builders.result(answers, images, found, **scenes.ALL), images)
    assert [(o.role, o.study_instance_uid) for o in made] == [
        (f"segmentation:{side}:1", images[4].instance.study_instance_uid) for side in "RL"
    ]
    assert made[0].series_instance_uid != made[1].series_instance_uid


@pytest.mark.parametrize("scene", [overlays.views, overlays.clip])
def test_other_modalities_have_none(scene: object) -> None:
    """Viewers fail on a segmentation of a mammogram, and on one of an ultrasound image."""
    assert made_of(*scene()) == []  # type: ignore[operator]
