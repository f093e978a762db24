"""Rules for presentation states: the region and the words of the SR, over an image that looks as before."""

from typing import Final

from pydicom import Dataset

from agent.report.draft import Draft
from agent.report.presentation_state import said
from agent.report.slot import Finished


def state_is_of_one_image_of_its_study(draft: Draft, one: Finished) -> bool:
    """It names one key image, of the study in which it lies, and of several frames which."""
    named = _images(one.ds)
    sources = {s.instance.sop_instance_uid: s.instance for s in draft.sources}
    if len(named) != 1:
        return False
    instance = sources.get(str(named[0].ReferencedSOPInstanceUID))
    return (
        instance is not None
        and instance.study_instance_uid == one.ds.StudyInstanceUID
        and (instance.frames > 1) == ("ReferencedFrameNumber" in named[0])
    )


def state_draws_inside_the_image(draft: Draft, one: Finished) -> bool:
    """The closed outline has an area, within the image, all of which is displayed."""
    area = one.ds.DisplayedAreaSelectionSequence[0]
    columns, rows = area.DisplayedAreaBottomRightHandCorner
    for annotation in one.ds.GraphicAnnotationSequence:
        for graphic in annotation.GraphicObjectSequence:
            x, y = graphic.GraphicData[0::2], graphic.GraphicData[1::2]
            closed = (x[0], y[0]) == (x[-1], y[-1])
            if not (closed and 0 <= min(x) < max(x) <= columns and 0 <= min(y) < max(y) <= rows):
                return False
    sizes = {s.instance.sop_instance_uid: [s.instance.columns, s.instance.rows] for s in draft.sources}
    return [columns, rows] == sizes.get(str(_images(one.ds)[0].ReferencedSOPInstanceUID))


def state_says_the_answer(draft: Draft, one: Finished) -> bool:
    """Side, probability, category and disclaimer stand beside the region, in the words of the text SR."""
    texts = [
        " ".join(str(text.UnformattedTextValue).split())
        for annotation in one.ds.GraphicAnnotationSequence
        for text in annotation.TextObjectSequence
    ]
    estimate = next(e for e in draft.ranked if e.side == one.slot.axilla)
    return texts == [" ".join(said(draft, estimate))]


def _images(ds: Dataset) -> list[Dataset]:
    return [image for series in ds.ReferencedSeriesSequence for image in series.ReferencedImageSequence]


RULES: Final = (state_is_of_one_image_of_its_study, state_draws_inside_the_image, state_says_the_answer)
