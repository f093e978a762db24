"""How a source image says that it is shown: a presentation state repeats it, or the image would look different."""

from typing import Final

from pydicom import Dataset
from pydicom.multival import MultiValue

from agent.report.header import Source
from agent.report.source_header import kept, numbers, read_attributes

PLAIN_BITS: Final = 8  # up to so many stored bits an image without a window is shown as it is
COLOURS: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
UNITS: Final = ("OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT")  # of Rescale Type (PS3.3 C.11.1.1.2)
_LUTS: Final = ("ModalityLUTSequence", "VOILUTSequence")
_LUT: Final = ("LUTDescriptor", "LUTData", "ModalityLUTType")  # an explanation is free text: it stays behind
_WINDOW: Final = ("WindowCenter", "WindowWidth", "VOILUTFunction")
_RESCALE: Final = ("RescaleIntercept", "RescaleSlope", "RescaleType")
_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_READ: Final = (
    *("PhotometricInterpretation", "BitsStored", "PresentationLUTShape", "PixelSpacing", "PixelAspectRatio"),
    *("PixelRepresentation", *_LUTS, *_WINDOW, *_RESCALE, *_GROUPS),
)


def read_display(header: bytes, source: Source) -> Dataset:
    """Return what a header says on display, of an enhanced image what it says of the frame."""
    ds = read_attributes(header, _READ)
    for keyword, wanted in (("FrameVOILUTSequence", _WINDOW), ("PixelValueTransformationSequence", _RESCALE)):
        for group in _groups(ds, source.frame):
            for item in group.get(keyword, ())[:1]:
                ds.update(kept(item, wanted))
    return ds


def is_colour(display: Dataset) -> bool:
    """Whether the image needs a colour presentation state."""
    return str(display.get("PhotometricInterpretation")) in COLOURS


def transformations(display: Dataset) -> Dataset | None:
    """Return Modality LUT, Softcopy VOI LUT and Presentation LUT modules (PS3.3 C.11.1, C.11.8, C.11.6) as the image.

    None where the image leaves it to the viewer: a presentation state without a window would darken it.
    """
    ds = Dataset()
    modality, voi = _modality(display), _voi(display)
    if modality is None or (voi is None and not _is_plain(display)):
        return None
    ds.update(modality)
    if voi is not None:
        ds.SoftcopyVOILUTSequence = [voi]
    # the pipeline of a presentation state does not look at Photometric Interpretation (PS3.4 N.2)
    inverse = display.get("PhotometricInterpretation") == "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    return ds


def _groups(ds: Dataset, frame: int) -> list[Dataset]:
    shared = list(ds.get(_GROUPS[0], ()))[:1]
    own = list(ds.get(_GROUPS[1], ()))[frame - 1 : frame] if frame else []
    return [*shared, *own]


def _is_plain(display: Dataset) -> bool:
    bits = numbers(display, "BitsStored", 1)
    return bool(bits) and bits[0] <= PLAIN_BITS and "RescaleSlope" not in display


def _modality(display: Dataset) -> Dataset | None:
    """Return the Modality LUT module, perhaps empty; None where the image has a table that cannot be read."""
    ds = Dataset()
    if display.get("ModalityLUTSequence"):
        table = _table(display.ModalityLUTSequence[0])
        if table is None or "ModalityLUTType" not in table:
            return None
        ds.ModalityLUTSequence = [table]
    elif numbers(display, "RescaleSlope", 1) and numbers(display, "RescaleIntercept", 1):
        ds.RescaleIntercept, ds.RescaleSlope = display.RescaleIntercept, display.RescaleSlope
        given = display.get("RescaleType")
        ds.RescaleType = given if given in UNITS else "US"
    return ds


def _voi(display: Dataset) -> Dataset | None:
    """Return the first window, else the first table: what the pictures are made with."""
    item = Dataset()
    first = Dataset()
    for keyword in ("WindowCenter", "WindowWidth"):
        value = display.get(keyword)
        setattr(first, keyword, value[0] if isinstance(value, MultiValue) else value)
    if all(numbers(first, keyword, 1) for keyword in ("WindowCenter", "WindowWidth")) and first.WindowWidth >= 1:
        item.WindowCenter, item.WindowWidth = first.WindowCenter, first.WindowWidth
        if display.get("VOILUTFunction") in FUNCTIONS:
            item.VOILUTFunction = display.VOILUTFunction
        return item
    table = _table(display.VOILUTSequence[0]) if display.get("VOILUTSequence") else None
    if table is None:
        return None
    item.VOILUTSequence = [table]
    return item


def _table(given: Dataset) -> Dataset | None:
    table = kept(given, _LUT)
    return table if numbers(table, "LUTDescriptor", 3) and "LUTData" in table else None
