"""Presentation states: the SR's region and the answer in words, over an image that looks as its header says."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom import Dataset, dcmread
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage

from agent.core.result import Kind, Result, SourceImage
from agent.report import tree, words
from agent.report.compose import Composer
from agent.report.encode import encode
from agent.report.presentation_state import presentation_states
from tests import builders, peers
from tests.unit.report import overlays, scenes
from tests.unit.report.conftest import DEVICE, Read
from tests.unit.report.overlays import COMPOSER

ROLE = "presentation_state:L:1"
ENGLISH = words.Words.of("aln")


def states(result: Result, images: list[SourceImage]) -> list[Dataset]:
    """Return the presentation states of a result."""
    made = overlays.unencoded(presentation_states, result, images)
    return [dcmread(BytesIO(encode(one).encoded)) for one in made]


def still(**attributes: Any) -> list[Dataset]:
    """Return the presentation states of a result on one ultrasound image."""
    image = scenes.source(scenes.ultrasound(**attributes))
    return states(builders.result(None, [image], [builders.influence(image, 50, 40)], **scenes.ALL), [image])


def test_it_draws_the_region_of_the_sr_and_says_the_answer() -> None:
    """Same coordinates, same words; side and disclaimer stand there, and no line is long."""
    result, images = overlays.views()
    objects = Read(COMPOSER(result, images))
    annotation = objects[ROLE].GraphicAnnotationSequence[0]
    region = next(i for i in tree.items(objects["sr:L"]) if i.ValueType == "SCOORD")
    named = objects[ROLE].ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert named.ReferencedSOPInstanceUID == region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert list(annotation.GraphicObjectSequence[0].GraphicData) == pytest.approx(list(region.GraphicData))
    text = annotation.TextObjectSequence[0].UnformattedTextValue
    assert max(map(len, text.split("\r\n"))) <= 44
    plain = " ".join(text.split())
    assert words.Words.of("aln").answer(result.estimates[0]) in plain
    assert plain.startswith("AI influence on L ALN risk")
    assert plain.endswith(words.DISCLAIMER)


def test_there_is_one_for_each_key_image() -> None:
    """A series an axilla and a study; each names its one image."""
    made = COMPOSER(*overlays.views())
    objects = Read(made)
    roles = [role for role in objects.roles if role.startswith("presentation")]
    assert roles == [f"presentation_state:{side}:{n}" for side in "LR" for n in (1, 2)]
    assert [int(objects[role].InstanceNumber) for role in roles] == [1, 2, 1, 2]
    assert len({objects[role].SeriesInstanceUID for role in roles}) == 2
    assert [objects[role].Laterality for role in roles] == ["L", "L", "R", "R"]
    named = [objects[role].ReferencedSeriesSequence[0].ReferencedImageSequence[0] for role in roles]
    assert len({n.ReferencedSOPInstanceUID for n in named}) == 4


def test_it_repeats_how_the_image_is_shown() -> None:
    """Without the window of the image a presentation state would darken it; the first of several counts."""
    result, images = scenes.mr_alone(
        **overlays.PLACED
        | {"WindowCenter": [300, 40], "WindowWidth": [600, 400], "VOILUTFunction": "SIGMOID"}
        | {"RescaleSlope": 2, "RescaleIntercept": -10, "WindowCenterWidthExplanation": ["CANARY", "B"]}
    )
    (ds,) = states(result, images)
    voi = ds.SoftcopyVOILUTSequence[0]
    assert (voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction) == (300, 600, "SIGMOID")
    assert (ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType) == (2, -10, "US")
    assert ds.PresentationLUTShape == "IDENTITY"
    assert "CANARY" not in str(ds)
    area = ds.DisplayedAreaSelectionSequence[0]
    assert list(area.DisplayedAreaBottomRightHandCorner) == [96, 60]
    assert list(area.PresentationPixelSpacing) == [2, 2]
    assert "PresentationPixelAspectRatio" not in area


def lut() -> Dataset:
    """Return a look-up table of four entries."""
    ds = Dataset()
    ds.add_new("LUTDescriptor", "US", [4, 0, 16])
    ds.LUTExplanation = "CANARY"
    ds.add_new("LUTData", "OW", np.arange(4, dtype=np.uint16).tobytes())
    return ds


def test_it_repeats_tables() -> None:
    """Where the image has a VOI LUT and no window; free text of it stays behind."""
    modality = lut()
    modality.ModalityLUTType = "US"
    more = {"VOILUTSequence": [lut()], "ModalityLUTSequence": [modality], "WindowCenter": "", "WindowWidth": ""}
    (ds,) = states(*scenes.mr_alone(**(overlays.PLACED | more)))
    assert ds.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor[0] == 4
    assert ds.ModalityLUTSequence[0].ModalityLUTType == "US"
    assert "CANARY" not in str(ds)


def test_a_negative_is_shown_as_one() -> None:
    """A presentation state's pipeline does not look at the image's photometric interpretation."""
    (ds,) = still(PhotometricInterpretation="MONOCHROME1")
    assert ds.PresentationLUTShape == "INVERSE"
    assert "SoftcopyVOILUTSequence" not in ds


@pytest.mark.parametrize(
    "change",
    [
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowWidth": 0},
        {"WindowCenter": [], "WindowWidth": 600},
        {"WindowCenter": "", "WindowWidth": "", "VOILUTSequence": [Dataset()]},
        {"ModalityLUTSequence": [Dataset()]},
    ],
)
def test_an_image_that_leaves_it_to_the_viewer_has_none(change: dict[str, object]) -> None:
    """More than eight bits and no window: a presentation state would show it nearly black."""
    assert states(*scenes.mr_alone(**(overlays.PLACED | change))) == []


def test_enhanced_images_say_it_by_the_frame() -> None:
    """The frame's own window counts before the shared one; the frame is named."""
    ds = scenes.mr(1, 1, **(overlays.PLACED | {"WindowCenter": "", "WindowWidth": ""}))
    ds.SharedFunctionalGroupsSequence = [_group(100)]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), _group(200), Dataset()]
    for frame, centre in ((2, 200), (3, 100)):
        image = scenes.source(ds, frame=frame, frames=3)
        made = builders.result(None, [image], [scenes.mr_influence(image, "L")], **scenes.ALL)
        (state,) = states(made, [image])
        assert state.SoftcopyVOILUTSequence[0].WindowCenter == centre
        assert state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber == frame


def _group(centre: int) -> Dataset:
    group, item, scale = Dataset(), Dataset(), Dataset()
    item.WindowCenter, item.WindowWidth = centre, 300
    scale.RescaleIntercept, scale.RescaleSlope, scale.RescaleType = 0, 1, "US"
    group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [item], [scale]
    return group


def test_colour_images_have_a_colour_state() -> None:
    """With an ICC profile of an input device that is the same each time, and without grey-scale transformations."""
    made = COMPOSER(*overlays.clip())
    ds = Read(made)[ROLE]
    assert ds.SOPClassUID == ColorSoftcopyPresentationStateStorage
    profile = ImageCms.ImageCmsProfile(BytesIO(ds.ICCProfile)).profile
    assert (profile.device_class, profile.xcolor_space.strip()) == ("scnr", "RGB")
    assert "SoftcopyVOILUTSequence" not in ds
    assert "PresentationLUTShape" not in ds
    assert ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber == 6
    assert Composer(DEVICE, kinds=Kind)(*overlays.clip()) == made


def test_clip_of_which_no_frame_is_known_has_none() -> None:
    """It would be drawn over every frame."""
    result, (image,) = overlays.clip()
    assert states(result, [replace(image, frame=0)]) == []


def test_a_map_without_influence_has_none() -> None:
    """Nothing is no region."""
    result, images = overlays.slices()
    nothing = replace(result.influences[0], saliency_hw=np.zeros_like(result.influences[0].saliency_hw))
    assert states(replace(result, influences=(nothing,)), images) == []


@pytest.mark.parametrize(
    ("given", "shown"), [({}, [1, 1]), ({"PixelAspectRatio": [2, 3]}, [2, 3]), ({"PixelAspectRatio": [0, 3]}, [1, 1])]
)
def test_pixels_that_are_not_square_stay_so(given: dict[str, object], shown: list[int]) -> None:
    """The aspect ratio is the image's, where it has no spacing."""
    (ds,) = still(**given)
    assert list(ds.DisplayedAreaSelectionSequence[0].PresentationPixelAspectRatio) == shown


def test_no_person_made_it() -> None:
    """Content Creator's Name is there and empty; the date is the result's."""
    (ds,) = still()
    assert ds.SOPClassUID == GrayscaleSoftcopyPresentationStateStorage
    assert ds.ContentCreatorName == ""
    assert (ds.PresentationCreationDate, ds.PresentationCreationTime) == ("20260106", "093000")
    assert "ContentDate" not in ds


@pytest.mark.parametrize("spoil", [lambda ds: setattr(ds, "BitsStored", 16), lambda ds: delattr(ds, "BitsStored")])
def test_bits_decide_whether_an_image_is_plain(spoil: Callable[[Dataset], object]) -> None:
    """Eight bits without a window are shown as they are; of more, or of unknown depth, nobody knows."""
    ds = scenes.ultrasound()
    spoil(ds)
    image = scenes.source(ds)
    assert states(builders.result(None, [image], [builders.influence(image, 50, 40)], **scenes.ALL), [image]) == []


def test_dcmtk_renders_the_image_through_it(tmp_path: Path) -> None:
    """Another implementation reads it, and the window that it repeats makes the picture: its middle is mid-grey."""
    render = peers.program("dcmp2pgm")
    ds = scenes.mr(1, 1, **overlays.PLACED)
    ds.PixelData = np.full((ds.Rows, ds.Columns), 300, np.uint16).tobytes()
    (tmp_path / "image.dcm").write_bytes(builders.part10(ds))
    image = scenes.source(ds)
    result = builders.result(None, [image], [scenes.mr_influence(image, "L")], **scenes.ALL)
    (state,) = overlays.unencoded(presentation_states, result, [image])
    (tmp_path / "state.dcm").write_bytes(encode(state).encoded)
    picture = tmp_path / "picture.pgm"
    command = [render, "-p", str(tmp_path / "state.dcm"), str(tmp_path / "image.dcm"), str(picture)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    assert 120 <= int(np.median(np.asarray(Image.open(picture)))) <= 135
