"""Rules for the pixels of a capture, and for what its header says of the source image."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.datadict import keyword_for_tag

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import DERIVATION
from agent.report.colour import LOWEST_SHOWN
from agent.report.draft import Draft, Finished, Place
from agent.report.headline import headline
from agent.report.heatmap import HALVES, Picture

Pixels = NDArray[np.uint8]
ATTRIBUTES: Final = frozenset(
    {
        *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "SeriesDate"),
        *("ContentDate", "StudyTime", "SeriesTime", "ContentTime", "AccessionNumber", "Modality", "ConversionType"),
        *("Manufacturer", "ReferringPhysicianName", "CodingSchemeIdentificationSequence", "StudyDescription"),
        *("SeriesDescription", "ManufacturerModelName", "PatientName", "PatientID", "IssuerOfPatientID"),
        *("PatientBirthDate", "PatientSex", "PatientAge", "BodyPartExamined", "DeviceSerialNumber", "DeviceUID"),
        *("SoftwareVersions", "DateOfSecondaryCapture", "TimeOfSecondaryCapture", "StudyInstanceUID"),
        *("SeriesInstanceUID", "StudyID", "SeriesNumber", "InstanceNumber", "PatientOrientation", "ImageLaterality"),
        *("ImageComments", "BurnedInAnnotation", "RecognizableVisualFeatures", "SamplesPerPixel", "Rows", "Columns"),
        *("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit"),
        *("PixelRepresentation", "PixelData", "SourceImageSequence", "DerivationDescription"),
    }
)
"""All that a capture says: above all no position and no spacing, by whatever name."""


def says_nothing_else(draft: Draft, one: Finished) -> bool:
    """No attribute beside those of a capture: nobody is to measure on it."""
    return ATTRIBUTES.issuperset(keyword_for_tag(tag) for tag in one.ds.keys())


def source_is_the_key_image(draft: Draft, one: Finished) -> bool:
    """A heatmap names the image, and of several frames the one, that it shows; the summary names none."""
    named = [
        (str(i.ReferencedSOPClassUID), str(i.ReferencedSOPInstanceUID), int(i.get("ReferencedFrameNumber") or 0))
        for i in one.ds.get("SourceImageSequence", ())
    ]
    place = _place(draft, one)
    if place is None:
        return not one.slot.axilla and not named
    source = place.source
    frame = source.frame if source.instance.frames > 1 else 0
    purposes = [tree.code(i.PurposeOfReferenceCodeSequence[0]) for i in one.ds.SourceImageSequence]
    return (
        named == [(source.instance.sop_class_uid, source.instance.sop_instance_uid, frame)]
        and purposes == [tree.code(codes.PROCESSING_SOURCE)]
        and source.instance.study_instance_uid == one.ds.StudyInstanceUID
    )


def orientation_equals_the_source(draft: Draft, one: Finished) -> bool:
    """Rows and columns of a heatmap run as those of its source; the summary shows no patient."""
    place = _place(draft, one)
    given = place.source.orientation.get("PatientOrientation") if place else None
    return (one.ds.get("PatientOrientation") or "") == (given or "")


def derivation_is_described(draft: Draft, one: Finished) -> bool:
    """A heatmap says how it came about and what it is not, and whose answer it shows."""
    if not one.slot.axilla:
        return "DerivationDescription" not in one.ds
    estimate = next(e for e in draft.ranked if e.side == one.slot.axilla)
    wanted = f"{draft.words.gettext(DERIVATION)} {draft.words.disclaimer}"
    comments = str(one.ds.get("ImageComments", ""))
    return one.ds.get("DerivationDescription") == wanted and comments == draft.words.answer(estimate)


def pixels_are_what_was_drawn(draft: Draft, one: Finished) -> bool:
    """Pixel by pixel it is the picture that was drawn."""
    if one.drawn is None:
        return False
    image = one.drawn.image
    return (one.ds.Columns, one.ds.Rows) == image.size and bytes(one.ds.PixelData) == image.tobytes()


def picture_says_the_answer(draft: Draft, one: Finished) -> bool:
    """The bands of each answer (side, number, category, interval, thresholds) stand there whole, in order."""
    rows = [row.tobytes() for row in _pixels(one)]
    at = 0
    for answer in draft.answers:
        if one.slot.axilla and (answer.side != one.slot.axilla or answer not in draft.ranked):
            continue
        bands = np.concatenate([np.asarray(band) for band in headline(draft, answer)])
        at = _find([row.tobytes() for row in bands], rows, at)
        if at < 0:
            return False
    return at > 0


def picture_shows_its_source(draft: Draft, one: Finished) -> bool:
    """At the right the source image as it is; at the left the same, coloured only where its map has influence."""
    place, picture = _place(draft, one), one.drawn
    if place is None or picture is None:
        return not one.slot.axilla
    grey_hw, levels_hw = _expected(place, picture)
    height, width = grey_hw.shape
    left, top = _corner(place, picture)
    panels = [_pixels(one)[top : top + height, x : x + width] for x in (left, left + HALVES[1] - HALVES[0])]
    if any(panel.shape != (height, width, 3) for panel in panels):
        return False
    shown_hwc = np.broadcast_to(grey_hw[..., None], panels[0].shape)
    coloured_hw = (panels[0] != shown_hwc).any(axis=2)
    return np.array_equal(panels[1], shown_hwc) and not coloured_hw[levels_hw < LOWEST_SHOWN].any()


def _expected(place: Place, picture: Picture) -> tuple[Pixels, Pixels]:
    """Return the source image and the levels of its map, of the picture's scale, (rows, columns) each."""
    shown, source = place.source.shown, place.source
    scale = picture.scale * source.reduction
    size = max(1, int(shown.width * scale + 1e-6)), max(1, int(shown.height * scale + 1e-6))
    seen = (0.0, 0.0, min(size[0] / scale, shown.width), min(size[1] / scale, shown.height))
    levels_hw = (np.clip(shown.of(place.influence.saliency_hw), 0, 1) * np.float32(255)).astype(np.uint8)
    grey, levels = (
        np.asarray(Image.fromarray(np.ascontiguousarray(field)).resize(size, Image.Resampling.BILINEAR, seen, 2.0))
        for field in (shown.of(source.image_hw), levels_hw)
    )
    return grey, levels


def _corner(place: Place, picture: Picture) -> tuple[int, int]:
    """Return left and top edge of the left panel."""
    shown, scale = place.source.shown, picture.scale * place.source.reduction
    return round(picture.left + shown.left * scale), round(picture.top + shown.top * scale)


def _find(wanted: list[bytes], rows: list[bytes], begin: int) -> int:
    """Return the row behind the first place at which rows stand one below the other, -1 where they do not."""
    for at in _starts(wanted[0], rows, begin):
        if rows[at : at + len(wanted)] == wanted:
            return at + len(wanted)
    return -1


def _starts(first: bytes, rows: list[bytes], begin: int) -> Iterator[int]:
    return (at for at in range(begin, len(rows)) if rows[at] == first)


def _pixels(one: Finished) -> Pixels:
    rows, columns = int(one.ds.Rows), int(one.ds.Columns)
    return np.frombuffer(one.ds.PixelData, np.uint8, rows * columns * 3).reshape(rows, columns, 3)


def _place(draft: Draft, one: Finished) -> Place | None:
    """Return the key image that a heatmap shows by its place among them; None of the summary."""
    if one.slot.kind is not Kind.SECONDARY_CAPTURE or not one.slot.axilla:
        return None
    estimate = next(e for e in draft.ranked if e.side == one.slot.axilla)
    places = draft.places(estimate)
    return places[one.slot.index - 1] if one.slot.index <= len(places) else None


RULES: Final = (
    says_nothing_else,
    source_is_the_key_image,
    orientation_equals_the_source,
    derivation_is_described,
    pixels_are_what_was_drawn,
    picture_says_the_answer,
    picture_shows_its_source,
)
