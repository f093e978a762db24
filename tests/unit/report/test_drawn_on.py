"""What the region of an SR is drawn on: an ultrasound or MR image, or our capture where viewers could not show it."""

from dataclasses import replace

import pytest
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.compose import Composer
from agent.report.comprehensive import in_reserve
from agent.report.draft import Draft
from agent.report.drawing import drawing
from agent.report.sr import report
from agent.report.temporal import is_temporal
from agent.report.text_sr import text_report
from agent.report.validate import validate
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE, Read


def on(ds: Dataset) -> Dataset:
    """Return the reference of the image that the region lies on."""
    region = next(i for i in tree.items(ds) if i.ValueType == "SCOORD")
    return region.ContentSequence[0].ReferencedSOPSequence[0]


def test_strongest_image_of_the_index_study_carries_the_region(composer: Composer) -> None:
    """Ultrasound is the newest study here; a stronger mammogram of an older one does not."""
    result, images = scenes.everything()
    objects = Read(composer(result, images))
    assert on(objects["sr:L"]).ReferencedSOPInstanceUID == images[2].instance.sop_instance_uid
    assert objects["sr:L"].StudyInstanceUID == images[2].instance.study_instance_uid


def test_region_lies_on_the_mrs_key_slice(composer: Composer) -> None:
    """A series a phase: on the image itself; every image of every phase is evidence and in the library."""
    result, images = scenes.mr_alone()
    objects = Read(composer(result, images))
    assert objects.roles == ["sr:L", "text_sr", "secondary_capture::1", "secondary_capture:L:1"]
    assert on(objects["sr:L"]).ReferencedSOPInstanceUID == images[0].instance.sop_instance_uid
    assert len(tree.evidence(objects["sr:L"], "CurrentRequestedProcedureEvidenceSequence")) == 12
    library = tree.named(objects["sr:L"], codes.IMAGE_LIBRARY)[0]
    assert sum(i.ValueType == "IMAGE" for i in tree.items(library)) == 12
    assert sum(i.ValueType == "CODE" for i in tree.items(library)) == 1  # said once of all


@pytest.mark.parametrize("all_at_hand", [True, False])
def test_region_of_a_4d_mr_lies_on_our_capture(composer: Composer, *, all_at_hand: bool) -> None:
    """One series of all phases freezes viewers, whether every header is at hand or the key slice's alone."""
    result, images = scenes.mr_alone(one_series=True)
    if all_at_hand:
        images = scenes.dynamic(one_series=True)
    objects = Read(composer(result, images))
    assert objects.roles == ["secondary_capture:L:1", "sr:L", "text_sr", "secondary_capture::1"]
    capture, document = objects.objects[:2]
    assert on(objects["sr:L"]).ReferencedSOPInstanceUID == capture.sop_instance_uid
    assert document.needs == (capture.sop_instance_uid,)


@pytest.mark.parametrize(
    ("phases_of_series", "tags", "temporal"),
    [
        ((1, 1, 1, 1), {}, False),
        ((1, 1, 1, 1), {"TemporalPositionIdentifier": 2, "NumberOfTemporalPositions": 4}, False),
        ((1, 3), {}, True),  # before contrast apart, all after it together
        ((2, 2), {"TemporalPositionIdentifier": 2, "NumberOfTemporalPositions": 4}, True),
        ((4,), {}, True),
    ],
)
def test_4d_is_told_from_what_was_used(
    phases_of_series: tuple[int, ...], tags: dict[str, int], *, temporal: bool
) -> None:
    """The key slice lies in the last series."""
    instances, image = [], None
    for series, phases in enumerate(phases_of_series):
        for phase in range(phases):
            for slice_ in range(3):
                more = {"SeriesInstanceUID": builders.uid("split", series), **tags}
                ds = scenes.mr(10 * series + phase, slice_, **more)
                image = scenes.source(ds)
                instances.append(image.instance)
    assert image is not None
    result = builders.result(None, [], [], used=tuple(instances))
    draft = Draft.of(result, [image], DEVICE)
    assert is_temporal(draft, draft.sources[0]) is temporal


def test_one_slice_alone_is_not_4d() -> None:
    """Nor is what is no MR, however many images a series has."""
    single = scenes.source(scenes.mr(1, 0))
    stills = [scenes.source(scenes.ultrasound(number=n)) for n in (1, 2)]
    for images in ([single], stills):
        draft = Draft.of(builders.result(None, images), images, DEVICE)
        assert not is_temporal(draft, draft.sources[0])


def test_region_in_the_other_half_is_refused(composer: Composer) -> None:
    """An answer for the left on the patient's right breast is refused; next to the midline it is not."""
    image = scenes.source(scenes.mr(1, 1))
    wrong, right = (builders.result(None, [image], [builders.influence(image, x, 20, side="L")]) for x in (20, 46))
    assert Read(composer(right, [image])).roles[0] == "sr:L"
    with pytest.raises(Permanent, match="sr:L breaks the rule regions_lie_on_their_half"):
        composer(wrong, [image])


@pytest.mark.parametrize("frame", [0, 6])
def test_region_on_a_clip_names_its_frame(composer: Composer, frame: int) -> None:
    """Where nobody knows which frame is shown, the region lies on our capture of it."""
    ds = scenes.ultrasound()
    image = scenes.source(ds, frame=frame, frames=12)
    objects = Read(composer(builders.result(None, [image], [builders.influence(image, 50, 50)]), [image]))
    if frame:
        assert on(objects["sr:L"]).ReferencedFrameNumber == frame
        assert objects["secondary_capture:L:1"].SourceImageSequence[0].ReferencedFrameNumber == frame
    else:
        assert objects.roles[0] == "secondary_capture:L:1"
        assert "ReferencedFrameNumber" not in objects["secondary_capture:L:1"].SourceImageSequence[0]


def test_region_without_its_frame_is_refused() -> None:
    """Of an image of many frames a region without a frame would be drawn on the first."""
    image = scenes.source(scenes.ultrasound())
    draft = Draft.of(builders.result(None, [image], [builders.influence(image, 50, 50)]), [image], DEVICE)
    pictured = captures(draft)
    drawn = drawing(draft, draft.ranked[0], pictured)
    assert drawn is not None
    one = report(draft, 0, draft.ranked[0], drawn)
    reserve = in_reserve(draft, 0, one, drawn.source)
    made = [one, reserve, text_report(draft), *(c.finished for c in pictured)]
    validate(draft, made)
    many = replace(draft.sources[0], instance=replace(image.instance, frames=9))
    with pytest.raises(Permanent, match="sr:L breaks the rule regions_name_their_frame"):
        validate(replace(draft, sources=(many,)), made)
