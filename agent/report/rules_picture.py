"""Rules for the pixels of a capture, and for what its header says of the source image."""

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agent.core.prediction import Answer
from agent.core.result import Kind, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import DERIVATION
from agent.report.colour import LOWEST_SHOWN
from agent.report.draft import Draft, Place
from agent.report.headline import headline
from agent.report.heatmap import HALVES, PANEL
from agent.report.slot import Drawn, Finished
from agent.report.ultrasound_regions import covered

Pixels: TypeAlias = NDArray[np.uint8]


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
    ds, drawn = one.ds, one.drawn
    return drawn is not None and (ds.Columns, ds.Rows) == drawn.size and bytes(ds.PixelData) == drawn.pixels


def picture_says_the_answer(draft: Draft, one: Finished) -> bool:
    """The bands of each answer (side, number, category, interval, thresholds) stand there whole, in order."""
    pixels_hwc, at = _pixels(one), 0
    spoken = [a for a in draft.answers if not one.slot.axilla or (a in draft.ranked and a.side == one.slot.axilla)]
    for answer in spoken:
        at = _below(_bands(draft, answer), pixels_hwc, at)
        if at < 0:
            return False
    return bool(spoken)


def picture_shows_its_source(draft: Draft, one: Finished) -> bool:
    """At the right the source image as it is; at the left the same, but for where its map has influence."""
    place, drawn = _place(draft, one), one.drawn
    if place is None or drawn is None:
        return not one.slot.axilla
    grey_hw = _resized(place.source.image_hw, place)
    left, right = _panels(one, place, drawn, grey_hw.shape)
    as_it_is = all(np.array_equal(right[..., channel], grey_hw) for channel in range(3))
    return as_it_is and _differ_within(left, right, _hull(place))


def _hull(place: Place) -> tuple[slice, slice]:
    """Return the rows and columns of a panel within which a map may be drawn; two pixels more of either scale."""
    map_hw = place.source.shown.of(place.influence.saliency_hw)
    seen_hw, scale = map_hw >= (LOWEST_SHOWN - 1) / 255, _scale(place)
    edges = []
    for axis in (1, 0):
        found = np.flatnonzero(seen_hw.any(axis=axis))
        first, last = (found[0], found[-1] + 1) if len(found) else (0, 0)
        edges.append(slice(max(0, int((first - 2) * scale) - 2), math.ceil((last + 2) * scale) + 2))
    return edges[0], edges[1]


def _differ_within(left: Pixels, right: Pixels, hull: tuple[slice, slice]) -> bool:
    """Whether two panels are alike above, below and beside a part of them."""
    rows, columns = hull
    around = (
        (slice(0, rows.start), slice(None)),
        (slice(rows.stop, None), slice(None)),
        (rows, slice(0, columns.start)),
        (rows, slice(columns.stop, None)),
    )
    return left.shape == right.shape and all(np.array_equal(left[part], right[part]) for part in around)


def _bands(draft: Draft, answer: Answer) -> Pixels:
    """Return the bands of an answer, one below the other."""
    what = _bands, answer.side, answer in draft.ranked
    return draft.once(what, lambda: np.concatenate([np.asarray(band) for band in headline(draft, answer)]))


def _below(bands: Pixels, pixels_hwc: Pixels, begin: int) -> int:
    """Return the row behind the first place at which bands stand in a picture, -1 where they do not."""
    said = int(bands.any(axis=(1, 2)).argmax())  # the first row with a letter: above it all are black
    first = bands[said].tobytes()
    for at in range(begin, len(pixels_hwc) - len(bands) + 1):
        if pixels_hwc[at + said].tobytes() == first and np.array_equal(pixels_hwc[at : at + len(bands)], bands):
            return at + len(bands)
    return -1


def nothing_beside_the_regions_is_shown(draft: Draft, one: Finished) -> bool:
    """Of an ultrasound image that does not say that it holds no name, all beside its regions is black."""
    place, drawn = _place(draft, one), one.drawn
    if place is None or drawn is None or place.source.burned_in == "NO":
        return True
    source = place.source
    inside_hw = covered(SourceImage(source.instance, source.header, source.image_hw, source.reduction, source.frame))
    if inside_hw is None:
        return True
    seen_hw = _resized(inside_hw.astype(np.uint8) * np.uint8(255), place)
    _, right = _panels(one, place, drawn, seen_hw.shape)
    return not right[seen_hw == 0].any()


def _scale(place: Place) -> float:
    """Return how many pixels of a panel one of the source's field is wide: as much as fills it."""
    shown = place.source.shown
    return min(PANEL[0] / shown.width, PANEL[1] / shown.height)


def _resized(field_hw: Pixels, place: Place) -> Pixels:
    """Return what is shown of a field of the source image's size, as large as a panel has room for."""
    shown, scale = place.source.shown, _scale(place)
    size = max(1, int(shown.width * scale + 1e-6)), max(1, int(shown.height * scale + 1e-6))
    seen = (0.0, 0.0, min(size[0] / scale, shown.width), min(size[1] / scale, shown.height))
    field = Image.fromarray(np.ascontiguousarray(shown.of(field_hw)))
    return np.asarray(field.resize(size, Image.Resampling.BILINEAR, seen, reducing_gap=2.0))


def _panels(one: Finished, place: Place, drawn: Drawn, size: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Return the left and the right panel, which lie where the picture says that the source lies."""
    shown, (height, width) = place.source.shown, size
    top = round(drawn.top + shown.top * _scale(place))
    lefts = [middle - width // 2 for middle in HALVES]
    stated = drawn.left + shown.left * _scale(place), drawn.scale * place.source.reduction
    if not np.allclose(stated, (lefts[0], _scale(place)), rtol=1e-9):
        return _pixels(one)[:0], _pixels(one)[:0]
    left, right = (_pixels(one)[top : top + height, x : x + width] for x in lefts)
    return left, right


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
    source_is_the_key_image,
    orientation_equals_the_source,
    derivation_is_described,
    pixels_are_what_was_drawn,
    picture_says_the_answer,
    picture_shows_its_source,
    nothing_beside_the_regions_is_shown,
)
