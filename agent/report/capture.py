"""Pictures as Secondary Capture images (PS3.3 A.8.1): what every viewer can show."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from agent.core.prediction import Estimate
from agent.core.result import Kind
from agent.dicom import codes
from agent.report.catalogue import marked as _
from agent.report.draft import Draft, Place, date_and_time
from agent.report.header import Source
from agent.report.heatmap import Picture, heatmap
from agent.report.slot import Drawn, Finished, Slot
from agent.report.summary import summary

BOTH: Final = "B"
DERIVATION: Final = _("AI influence map over the source image, beside it.")
HEATMAP: Final = _("heatmap")


SUMMARY: Final = Slot(Kind.SECONDARY_CAPTURE, SecondaryCaptureImageStorage, "OT", _("summary"), 1)
HEATMAP_SERIES: Final = (3, 5)  # of the axilla at the higher risk, of the other


@dataclass(frozen=True)
class Captured:
    """One capture, and which influence its picture shows; the summary shows none."""

    finished: Finished
    uid: str = ""  # of the source image
    picture: Picture | None = None


def captures(draft: Draft) -> list[Captured]:
    """Return the summary of every answer, and a heatmap of each key image."""
    made = [Captured(_summary_capture(draft))]
    for rank, estimate in enumerate(draft.ranked):
        numbers: Counter[str] = Counter()  # Instance Number runs within an axilla's series of a study
        for index, place in enumerate(draft.places(estimate), start=1):
            study = place.source.instance.study_instance_uid
            numbers[study] += 1
            slot = _heatmap_slot(rank, estimate.side, index, numbers[study])
            made.append(_heatmap_capture(draft, slot, estimate, place))
    return made


def _heatmap_slot(rank: int, side: str, index: int, number: int) -> Slot:
    label, series = f"{side} {HEATMAP}", HEATMAP_SERIES[rank]
    return Slot(Kind.SECONDARY_CAPTURE, SecondaryCaptureImageStorage, "OT", label, series, side, index, number)


def _heatmap_capture(draft: Draft, slot: Slot, estimate: Estimate, place: Place) -> Captured:
    """One source image, in that image's study."""
    picture = heatmap(draft, estimate, place)
    ds = _capture(draft, slot, place.source, picture.image)
    ds.update(place.source.orientation)
    if place.source.is_axillary:
        ds.BodyPartExamined = "AXILLA"  # a defined term (PS3.16 Annex L)
    ds.ImageLaterality = slot.axilla
    ds.ImageComments = draft.words.answer(estimate)
    ds.DerivationDescription = f"{draft.words.gettext(DERIVATION)} {draft.words.disclaimer}"
    ds.SourceImageSequence = [_source_item(place.source)]
    if place.source.may_identify:
        ds.BurnedInAnnotation = "YES"
    drawn = Drawn(picture.image.size, ds.PixelData, picture.scale, picture.left, picture.top)
    return Captured(Finished(slot, ds, drawn=drawn), place.source.instance.sop_instance_uid, picture)


def _summary_capture(draft: Draft) -> Finished:
    """The one picture of every answer, in the index study."""
    sides = {a.side for a in draft.answers}
    side = next(iter(sides)) if len(sides) == 1 else None  # of one answer whose side is unknown, too
    slot = replace(SUMMARY, label=f"{side} {SUMMARY.label}") if side else SUMMARY
    picture = summary(draft)
    ds = _capture(draft, slot, draft.index, picture)
    ds.ImageLaterality = side or BOTH
    ds.ImageComments = " ".join(draft.words.answer(a) for a in draft.answers)
    return Finished(slot, ds, drawn=Drawn(picture.size, ds.PixelData))


def _capture(draft: Draft, slot: Slot, source: Source, picture: Image.Image) -> Dataset:
    ds = draft.base(slot, source)
    ds.ConversionType = "WSD"
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = date_and_time(draft.made_at)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = ""
    ds.BodyPartExamined = "BREAST"
    ds.BurnedInAnnotation = "NO"  # our words identify neither patient nor date (PS3.3 C.7.6.1)
    ds.RecognizableVisualFeatures = "NO"
    # no Frame of Reference, Pixel Spacing or position: nobody is to measure or to synchronise on it
    _pixels(ds, picture)
    return ds


def _pixels(ds: Dataset, picture: Image.Image) -> None:
    ds.SamplesPerPixel = 3
    ds.PhotometricInterpretation = "RGB"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = picture.height, picture.width
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.PixelData = np.asarray(picture).tobytes()  # of even length: the width is even


def _source_item(source: Source) -> Dataset:
    item = Dataset()
    if source.instance.frames > 1 and source.frame:
        item.ReferencedFrameNumber = source.frame
    item.ReferencedSOPClassUID = source.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = source.instance.sop_instance_uid
    item.SpatialLocationsPreserved = "NO"  # the bands and the pair move the pixels
    item.PurposeOfReferenceCodeSequence = [codes.PROCESSING_SOURCE]
    return item
