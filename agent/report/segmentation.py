"""Where an MR slice influenced the estimate, as a Segmentation that lies over the slice in viewers."""

from collections import Counter
from typing import Final

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PixelMeasuresSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID, MRImageStorage, SegmentationStorage

from agent.core.prediction import Estimate
from agent.core.result import Kind
from agent.dicom import codes, uids
from agent.report import words
from agent.report.catalogue import marked as _
from agent.report.draft import Draft, Place
from agent.report.header import Source
from agent.report.region import STRONG, strongest
from agent.report.slot import SEGMENTATION_SERIES, Finished, Slot
from agent.report.source_header import Headers, numbers, read_attributes

CONTENT_LABEL: Final = "AI_INFLUENCE"
LABEL: Final = _("segmentation")
THRESHOLD: Final = _("At least {share} % of this image's strongest influence, where it holds together.")
COLOUR: Final = CIELabColor(71.0, 27.0, 60.0)  # the orange of the heatmaps; OHIF complains where none is recommended
GEOMETRY: Final = (("ImageOrientationPatient", 6), ("ImagePositionPatient", 3), ("PixelSpacing", 2))
SKEW: Final = 1e-3  # by which the cosines of a slice may be off
UNKNOWN: Final = -1
_READ: Final = ("FrameOfReferenceUID", "SliceThickness", *(k for k, _ in GEOMETRY))
_OF_ITS_MAKING: Final = ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence")  # by a clock


def segmentations(draft: Draft, headers: Headers) -> list[Finished]:
    """Return a segmentation of every MR key slice that says where it lies; viewers fail on those of mammograms."""
    made = []
    for rank, estimate in enumerate(draft.ranked):
        numbered: Counter[str] = Counter()  # Instance Number runs within an axilla's series of a study
        index = 0
        for place in draft.places(estimate):
            plane = _plane(place.source, headers)
            if plane is None:
                continue
            mask_hw = region_mask(place)
            if not mask_hw.any():
                continue
            index += 1
            study = place.source.instance.study_instance_uid
            numbered[study] += 1
            slot = _slot(rank, estimate.side, index, numbered[study])
            made.append(_segmentation(draft, slot, estimate, place.source, plane, mask_hw))
    return made


def region_mask(place: Place) -> NDArray[np.bool_]:
    """Return which of the source's pixels (rows, columns) the region of an SR holds, at that region's threshold."""
    saliency_hw, source = place.influence.saliency_hw, place.source
    rows, columns = source.instance.rows, source.instance.columns
    box = strongest(saliency_hw)
    if box is None:
        return np.zeros((rows, columns), np.bool_)
    inside = (slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right)))
    strong_hw = np.zeros(saliency_hw.shape, np.bool_)
    strong_hw[inside] = saliency_hw[inside] >= STRONG * float(saliency_hw.max())
    height, width = saliency_hw.shape
    at_row = np.minimum(((np.arange(rows) + 0.5) / source.reduction).astype(int), height - 1)
    at_column = np.minimum(((np.arange(columns) + 0.5) / source.reduction).astype(int), width - 1)
    return np.asarray(strong_hw[np.ix_(at_row, at_column)])


def _slot(rank: int, side: str, index: int, number: int) -> Slot:
    series = SEGMENTATION_SERIES + rank
    return Slot(
        Kind.SEGMENTATION,
        SegmentationStorage,
        "SEG",
        f"{side} {LABEL}",
        series,
        side,
        index,
        instance_number=number,
    )


def _plane(source: Source, headers: Headers) -> Dataset | None:
    """Return the slice as highdicom wants its source, with nothing of the patient; None if it lies nowhere."""
    instance = source.instance
    if instance.sop_class_uid != MRImageStorage:
        return None
    ds = read_attributes(headers[instance.sop_instance_uid], _READ)
    if not all(numbers(ds, keyword, count) for keyword, count in GEOMETRY) or not _lies_in_space(ds):
        return None
    if not numbers(ds, "SliceThickness", 1):
        ds.SliceThickness = UNKNOWN  # highdicom wants one
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        setattr(ds, keyword, "")
    ds.StudyID = ds.StudyDate = ds.StudyTime = ""
    ds.SOPClassUID, ds.SOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = instance.study_instance_uid, instance.series_instance_uid
    ds.Modality, ds.Rows, ds.Columns = instance.modality, instance.rows, instance.columns
    return ds


def _lies_in_space(ds: Dataset) -> bool:
    """Whether rows and columns are at right angles, pixels have a size, and the frame of reference a UID."""
    orientation = np.array(numbers(ds, "ImageOrientationPatient", 6)).reshape(2, 3)
    is_right = np.allclose(orientation @ orientation.T, np.eye(2), atol=SKEW)
    named = UID(str(ds.get("FrameOfReferenceUID", "")))
    return bool(is_right and named.is_valid and min(numbers(ds, "PixelSpacing", 2)) > 0)


def _segmentation(
    draft: Draft, slot: Slot, estimate: Estimate, source: Source, plane: Dataset, mask_hw: NDArray[np.bool_]
) -> Finished:
    made = Segmentation(
        source_images=[plane],
        pixel_array=mask_hw[None].astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(draft, estimate)],
        series_instance_uid=draft.series_uid(slot, source.instance.study_instance_uid),
        series_number=1,
        sop_instance_uid=draft.uid(slot),
        instance_number=slot.instance_number,
        manufacturer=draft.device.manufacturer,
        manufacturer_model_name=draft.device.model,
        software_versions=draft.device.software_version,
        device_serial_number=draft.device.serial,
        content_label=CONTENT_LABEL,
        content_description=draft.words.content_of_region(estimate.side),
        specific_character_set="ISO_IR 192",
    )
    made.SegmentSequence[0].SegmentDescription = _description(draft)
    made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = _measures(plane)
    _settle(draft, slot, made)
    ds = Dataset()
    ds.update({element.tag: element for element in made if element.keyword not in _OF_ITS_MAKING})
    ds.update(draft.base(slot, source))
    return Finished(slot, ds)


def _measures(plane: Dataset) -> PixelMeasuresSequence:
    """Return spacing and thickness: highdicom invents a distance to a slice that there is not."""
    thickness = plane.SliceThickness
    return PixelMeasuresSequence(numbers(plane, "PixelSpacing", 2), None if thickness == UNKNOWN else thickness)


def _segment(draft: Draft, estimate: Estimate) -> SegmentDescription:
    result, side = draft.result, estimate.side
    return SegmentDescription(
        segment_number=1,
        segment_label=words.influence_on(draft.words.short, side),
        segmented_property_category=codes.SPATIAL_CONCEPT,
        segmented_property_type=codes.REGION_OF_INFLUENCE,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=result.model.name,
            version=result.model.version,
            family=codes.ARTIFICIAL_INTELLIGENCE,
            source=draft.device.manufacturer,
        ),
        tracking_id=f"{draft.words.short} risk {side}",
        tracking_uid=uids.tracking_uid(result.installation, result.case_uuid, result.version, result.question, side),
        display_color=COLOUR,
    )


def _settle(draft: Draft, slot: Slot, ds: Dataset) -> None:
    """Replace the random UID of the dimensions: the same result is the same bytes."""
    organisation = uids.derived(draft.result.installation, "dimension", draft.uid(slot))
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation


def _description(draft: Draft) -> str:
    share = draft.words.gettext(THRESHOLD, share=f"{100 * STRONG:.0f}")
    return f"{share} {draft.words.gettext(words.NOT_AN_OUTLINE)} {draft.words.disclaimer}"
