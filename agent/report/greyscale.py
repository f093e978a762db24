"""How a source image says that it is shown: a presentation state repeats it, or the image would look different."""

from typing import Final

from pydicom import Dataset
from pydicom.multival import MultiValue

from agent.report.header import Source
from agent.report.source_header import numbers, read_attributes

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
                ds.update({item[name].tag: item[name] for name in wanted if name in item})
    return ds


def is_colour(display: Dataset) -> bool:
    """Whether the image needs a colour presentation state."""
    return str(display.get("PhotometricInterpretation")) in COLOURS


def transformations(display: Dataset) -> Dataset | None:
    """Return Modality LUT, Softcopy VOI LUT and Presentation LUT modules (PS3.3 C.11.1, C.11.8, C.11.6) as the image.

    None where the image leaves it to the viewer: a presentation state without a window would darken it.
    """
    ds = Dataset()
    voi = _voi(display)
    if voi is None and not _is_plain(display):
        return None
    ds.update(_modality(display))
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
    return 0 < int(display.get("BitsStored", 0)) <= PLAIN_BITS and "RescaleSlope" not in display


def _modality(display: Dataset) -> Dataset:
    ds = Dataset()
    if display.get("ModalityLUTSequence"):
        ds.ModalityLUTSequence = [_table(display.ModalityLUTSequence[0])]
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
    if display.get("VOILUTSequence"):
        item.VOILUTSequence = [_table(display.VOILUTSequence[0])]
        return item
    return None


def _table(given: Dataset) -> Dataset:
    table = Dataset()
    table.update({given[name].tag: given[name] for name in _LUT if name in given})
    return table
