"""Rules for how a presentation state shows its image: as the image says itself, neither darker nor inverted."""

from collections.abc import Sequence
from typing import Final

from pydicom import Dataset
from pydicom.multival import MultiValue

from agent.report.draft import Draft
from agent.report.greyscale import is_colour, read_display
from agent.report.header import Source
from agent.report.slot import Finished
from agent.report.source_header import numbers

GREY: Final = ("RescaleSlope", "ModalityLUTSequence", "SoftcopyVOILUTSequence", "PresentationLUTShape")
COLOUR: Final = ("ICCProfile", "ColorSpace")


def state_keeps_the_window(draft: Draft, one: Finished) -> bool:
    """Stored values become the grey levels that the image's own header gives them; colours stay colours."""
    source = _source(draft, one)
    if source is None:
        return False
    display = read_display(source.header, source)
    if is_colour(display):
        return all(k in one.ds for k in COLOUR) and not any(k in one.ds for k in GREY)
    if any(k in one.ds for k in COLOUR):
        return False
    inverse = display.get("PhotometricInterpretation") == "MONOCHROME1"
    shape = one.ds.get("PresentationLUTShape") == ("INVERSE" if inverse else "IDENTITY")
    return shape and _same_values(one.ds, display) and _same_window(one.ds, display)


def state_keeps_the_proportions(draft: Draft, one: Finished) -> bool:
    """A pixel is as high and as wide as the image says."""
    source = _source(draft, one)
    if source is None:
        return False
    display, area = read_display(source.header, source), one.ds.DisplayedAreaSelectionSequence[0]
    spacing = numbers(display, "PixelSpacing", 2)
    if spacing and min(spacing) > 0:
        return numbers(area, "PresentationPixelSpacing", 2) == spacing and "PresentationPixelAspectRatio" not in area
    aspect = numbers(display, "PixelAspectRatio", 2)
    wanted = tuple(map(int, aspect)) if aspect and min(aspect) >= 1 else (1, 1)
    return numbers(area, "PresentationPixelAspectRatio", 2) == wanted and "PresentationPixelSpacing" not in area


def state_is_of_its_side(draft: Draft, one: Finished) -> bool:
    """The series is of the axilla that is spoken of."""
    return str(one.ds.get("Laterality", "")) == one.slot.axilla


def _source(draft: Draft, one: Finished) -> Source | None:
    image = one.ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    wanted = str(image.ReferencedSOPInstanceUID), int(image.get("ReferencedFrameNumber") or 0)
    for source in draft.sources:
        if (source.instance.sop_instance_uid, source.frame if source.instance.frames > 1 else 0) == wanted:
            return source
    return None


def _same_values(ds: Dataset, display: Dataset) -> bool:
    """Whether the Modality LUT is the image's: its table, or its slope and intercept, or none."""
    if display.get("ModalityLUTSequence"):
        return "RescaleSlope" not in ds and _same_table(ds, display, "ModalityLUTSequence")
    pair = [numbers(display, keyword, 1) for keyword in ("RescaleSlope", "RescaleIntercept")]
    wanted = pair if all(pair) else [(), ()]
    found = [numbers(ds, keyword, 1) for keyword in ("RescaleSlope", "RescaleIntercept")]
    return found == wanted and "ModalityLUTSequence" not in ds


def _same_window(ds: Dataset, display: Dataset) -> bool:
    """Whether the VOI LUT is the image's first window, else its first table, or none."""
    items = ds.get("SoftcopyVOILUTSequence", ())
    wanted = [_first(display, keyword) for keyword in ("WindowCenter", "WindowWidth")]
    if all(wanted) and wanted[1][0] >= 1:
        found = [numbers(item, keyword, 1) for item in items for keyword in ("WindowCenter", "WindowWidth")]
        known = display.get("VOILUTFunction") in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
        function = display.get("VOILUTFunction") if known else None
        return found == wanted and items[0].get("VOILUTFunction") == function and "VOILUTSequence" not in items[0]
    if display.get("VOILUTSequence"):
        return len(items) == 1 and "WindowCenter" not in items[0] and _same_table(items[0], display, "VOILUTSequence")
    return not items


def _first(ds: Dataset, keyword: str) -> tuple[float, ...]:
    one = Dataset()
    value = ds.get(keyword)
    setattr(one, keyword, value[0] if isinstance(value, MultiValue) else value)
    return numbers(one, keyword, 1)


def _same_table(ds: Dataset, display: Dataset, keyword: str) -> bool:
    found: Sequence[Dataset] = ds.get(keyword) or ()
    first = display[keyword][0]
    return len(found) == 1 and all(found[0].get(k) == first.get(k) for k in ("LUTDescriptor", "LUTData"))


RULES: Final = (state_keeps_the_window, state_keeps_the_proportions, state_is_of_its_side)
