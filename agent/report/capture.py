"""Pictures as Secondary Capture images (PS3.3 A.8.1): what every viewer can show."""

from typing import Final

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from agent.core.prediction import Answer, Estimate
from agent.core.result import Kind, Reference
from agent.dicom import codes
from agent.report import words
from agent.report.draft import Draft, Finished, Place, Slot, date_and_time
from agent.report.header import Source
from agent.report.heatmap import Picture, heatmap
from agent.report.summary import summary

BOTH: Final = "B"
DERIVATION: Final = f"AI influence map over the source image, beside it. {words.DISCLAIMER}"


def heatmap_slot(side: str, index: int, instance_number: int) -> Slot:
    """Return the place of the index-th heatmap of an axilla."""
    return Slot(Kind.SECONDARY_CAPTURE, SecondaryCaptureImageStorage, "OT", "heatmap", 1, side, index, instance_number)


SUMMARY: Final = Slot(Kind.SECONDARY_CAPTURE, SecondaryCaptureImageStorage, "OT", "summary", 3)


def heatmap_capture(draft: Draft, slot: Slot, estimate: Estimate, place: Place) -> tuple[Finished, Picture]:
    """Return the capture of one source image, in that image's study, and where its overlay lies."""
    picture = heatmap(draft, estimate, place)
    ds = _capture(draft, slot, place.source, picture.image)
    ds.update(place.source.orientation)
    ds.ImageLaterality = slot.axilla
    ds.ImageComments = words.answer(estimate, draft.words.event)
    ds.DerivationDescription = DERIVATION
    ds.SourceImageSequence = [_source_item(place.source)]
    return Finished(slot, ds), picture


def summary_capture(draft: Draft, answers: tuple[Answer, ...]) -> Finished:
    """Return the one picture of words, in the index study."""
    ds = _capture(draft, SUMMARY, draft.index, summary(draft, answers))
    ds.ImageLaterality = BOTH
    ds.ImageComments = " ".join(words.answer(a, draft.words.event) for a in answers)
    return Finished(SUMMARY, ds)


def capture_reference(draft: Draft, slot: Slot, source: Source) -> Reference:
    """How an SR names a capture, made or not."""
    study = source.instance.study_instance_uid
    return Reference(slot.sop_class_uid, draft.uid(slot), study, draft.series_uid(slot, study))


def _capture(draft: Draft, slot: Slot, source: Source, picture: Image.Image) -> Dataset:
    ds = draft.base(slot, source)
    ds.ConversionType = "WSD"
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = date_and_time(draft.made_at)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = ""
    ds.BodyPartExamined = "BREAST"
    ds.BurnedInAnnotation = "NO"  # ours identify neither patient nor date (PS3.3 C.7.6.1)
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
    ds.PixelData = np.asarray(picture).tobytes() + b"\0" * (picture.width * picture.height % 2)


def _source_item(source: Source) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = source.instance.sop_instance_uid
    item.SpatialLocationsPreserved = "NO"  # the bands and the pair move the pixels
    item.PurposeOfReferenceCodeSequence = [codes.PROCESSING_SOURCE]
    return item
