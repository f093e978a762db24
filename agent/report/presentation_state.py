"""The region and the answer drawn over a source image: a Softcopy Presentation State for each key image."""

import textwrap
from collections import Counter
from typing import Final

from highdicom.color import CIELabColor
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    TextJustificationValues,
    TextObject,
)
from PIL import ImageCms
from pydicom import Dataset
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage

from agent.core.prediction import Estimate
from agent.core.result import Kind
from agent.report import words
from agent.report.catalogue import marked as _
from agent.report.draft import Draft, date_and_time
from agent.report.greyscale import is_colour, read_display, transformations
from agent.report.header import Source
from agent.report.region import Box, strongest
from agent.report.slot import PRESENTATION_SERIES, Finished, Slot
from agent.report.source_header import Headers, numbers

LABEL: Final = _("annotation")
CONTENT_LABEL: Final = "AI_INFLUENCE"
LAYER: Final = "AI"
COLOUR: Final = CIELabColor(71.0, 27.0, 60.0)
LINE: Final = 44  # characters: viewers do not break the lines of a text
PIXEL: Final = AnnotationUnitsValues.PIXEL


def presentation_states(draft: Draft, headers: Headers) -> list[Finished]:
    """Return a presentation state of each key image that says how it is shown, in that image's study."""
    made = []
    for rank, estimate in enumerate(draft.ranked):
        numbered: Counter[str] = Counter()  # Instance Number runs within an axilla's series of a study
        index = 0
        for place in draft.places(estimate):
            source = place.source
            box = strongest(place.influence.saliency_hw)
            shown = _shown(source, headers)
            if box is None or shown is None:
                continue
            box = box.scaled(source.reduction).within(source.instance.columns, source.instance.rows)
            index += 1
            study = source.instance.study_instance_uid
            numbered[study] += 1
            slot = _slot(rank, estimate.side, index, numbered[study], colour="ICCProfile" in shown)
            made.append(_presentation_state(draft, slot, estimate, source, box, shown))
    return made


def said(draft: Draft, estimate: Estimate) -> list[str]:
    """Return the sentences beside the region."""
    return [
        words.influence_on(draft.words.short, estimate.side),
        draft.words.answer(estimate),
        draft.words.gettext(words.NOT_AN_OUTLINE),
        draft.words.disclaimer,
    ]


def _slot(rank: int, side: str, index: int, number: int, *, colour: bool) -> Slot:
    sop_class = ColorSoftcopyPresentationStateStorage if colour else GrayscaleSoftcopyPresentationStateStorage
    series = PRESENTATION_SERIES + rank
    return Slot(
        Kind.PRESENTATION_STATE, sop_class, "PR", f"{side} {LABEL}", series, side, index, instance_number=number
    )


def _shown(source: Source, headers: Headers) -> Dataset | None:
    """Return the modules that say how the image is shown; None where a presentation state would change that."""
    if source.instance.frames > 1 and not source.frame:
        return None
    display = read_display(headers[source.instance.sop_instance_uid], source)
    if is_colour(display):
        ds = Dataset()
        ds.ICCProfile, ds.ColorSpace = _srgb(), "SRGB"
    else:
        grey = transformations(display)
        if grey is None:
            return None
        ds = grey
    ds.DisplayedAreaSelectionSequence = [_displayed_area(source, display)]
    return ds


def _displayed_area(source: Source, display: Dataset) -> Dataset:
    """All of the image (PS3.3 C.10.4)."""
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]
    item.DisplayedAreaBottomRightHandCorner = [source.instance.columns, source.instance.rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    spacing = numbers(display, "PixelSpacing", 2)
    if spacing and min(spacing) > 0:
        item.PresentationPixelSpacing = display.PixelSpacing
    else:
        aspect = numbers(display, "PixelAspectRatio", 2)
        item.PresentationPixelAspectRatio = [int(v) for v in aspect] if aspect and min(aspect) >= 1 else [1, 1]
    return item


def _srgb() -> bytes:
    """Return a profile of sRGB as one of an input device (PS3.3 C.11.15), without the moment when it was made."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[12:16] = b"scnr"
    made[24:36] = (2000).to_bytes(2, "big") + b"\0\1\0\1" + bytes(6)
    return bytes(made) + bytes(len(made) % 2)


def _presentation_state(
    draft: Draft, slot: Slot, estimate: Estimate, source: Source, box: Box, shown: Dataset
) -> Finished:
    ds = draft.base(slot, source)
    del ds.ContentDate, ds.ContentTime  # the IOD has a creation date instead
    ds.Laterality = estimate.side
    ds.ContentLabel = CONTENT_LABEL
    ds.ContentDescription = draft.words.content_of_region(estimate.side)
    ds.ContentCreatorName = ""  # no person
    ds.PresentationCreationDate, ds.PresentationCreationTime = date_and_time(draft.made_at)
    image = _image(source)
    series = Dataset()
    series.SeriesInstanceUID = source.instance.series_instance_uid
    series.ReferencedImageSequence = [image]
    ds.ReferencedSeriesSequence = [series]
    ds.GraphicLayerSequence = [GraphicLayer(LAYER, 1, display_color=COLOUR)]
    ds.GraphicAnnotationSequence = [_annotation(image, box, said(draft, estimate))]
    ds.update(shown)
    return Finished(slot, ds)


def _image(source: Source) -> Dataset:
    item = Dataset()
    if source.instance.frames > 1:
        item.ReferencedFrameNumber = source.frame
    item.ReferencedSOPClassUID = source.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = source.instance.sop_instance_uid
    return item


def _annotation(image: Dataset, box: Box, sentences: list[str]) -> Dataset:
    text = "\r\n".join(line for sentence in sentences for line in textwrap.wrap(sentence, LINE))
    ds = Dataset()
    ds.ReferencedImageSequence = [image]
    ds.GraphicLayer = LAYER
    ds.GraphicObjectSequence = [GraphicObject(GraphicTypeValues.POLYLINE, box.polyline, PIXEL)]
    ds.TextObjectSequence = [
        TextObject(
            text,
            PIXEL,
            anchor_point=(box.left, box.bottom),
            text_justification=TextJustificationValues.LEFT,
            anchor_point_visible=True,
        )
    ]
    return ds
