"""The machine-readable answer: one Comprehensive 3D SR (TID 1500) an axilla, drawn by viewers on its image."""

from typing import Final

from highdicom import sr
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from agent.core.prediction import Estimate
from agent.core.result import Kind
from agent.dicom import codes, uids
from agent.report.catalogue import marked as _
from agent.report.contributions import missing
from agent.report.document import CONTAINS, document
from agent.report.draft import Draft
from agent.report.drawing import Drawing
from agent.report.figures import percent
from agent.report.library import image_library
from agent.report.slot import SERIES_AN_AXILLA, Finished, Slot
from agent.report.stated import stated
from agent.report.words import SHORT_DISCLAIMER, influence_on

REPORT: Final = _("report")


def slot(rank: int, side: str) -> Slot:
    """Return the place of an axilla's SR; the higher risk (rank 0) has the lower Series Number."""
    return Slot(Kind.SR, Comprehensive3DSRStorage, "SR", f"{side} {REPORT}", SERIES_AN_AXILLA * rank, axilla=side)


def report(draft: Draft, rank: int, estimate: Estimate, drawn: Drawing) -> Finished:
    """Return the SR of one axilla. A group without a region breaks viewers, so there is none without `drawn`."""
    place = slot(rank, estimate.side)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(draft)),
        procedure_reported=codes.IMAGING_PROCEDURE,
        imaging_measurements=[_group(draft, estimate, drawn)],
        title=codes.IMAGING_MEASUREMENT_REPORT,
    )
    root = content[0]
    at = _before_measurements(root)  # the answer first: a library may have hundreds of lines
    for item in (image_library(draft.evidence), *reversed(stated(draft, estimate))):
        root.ContentSequence.insert(at, item)
    ds = document(draft, place, drawn.source, root, drawn.needs)
    return Finished(place, ds, tuple(r.sop_instance_uid for r in drawn.needs))


def _observer(draft: Draft) -> sr.ObserverContext:
    device = draft.device
    return sr.ObserverContext(
        observer_type=codes.DEVICE,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=device.uid,
            name=device.name,
            manufacturer_name=device.manufacturer,
            model_name=device.model,
            serial_number=device.serial,
        ),
    )


def _before_measurements(root: Dataset) -> int:
    names = [item.ConceptNameCodeSequence[0].CodeValue for item in root.ContentSequence]
    return names.index(codes.IMAGING_MEASUREMENTS.value)


def _group(draft: Draft, estimate: Estimate, drawn: Drawing) -> sr.MeasurementsAndQualitativeEvaluations:
    result, side = draft.result, estimate.side
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uids.tracking_uid(result.installation, result.case_uuid, result.version, result.question, side),
            f"{draft.words.short} risk {side}",
        ),
        finding_type=codes.QUESTIONS[result.question].finding,
        finding_sites=[sr.FindingSite(codes.AXILLARY_NODE, laterality=codes.SIDES[side])],
        algorithm_id=_algorithm(draft),
        measurements=_numbers(codes.QUESTIONS[result.question], estimate, drawn),
        qualitative_evaluations=_evaluations(draft, estimate),
        source_images=[
            sr.SourceImageForMeasurementGroup(
                drawn.source.instance.sop_class_uid, drawn.source.instance.sop_instance_uid
            )
        ],
    )
    # each comment is a line of the label beside the region, above the numbers: five lines in all are shown
    for line in (influence_on(draft.words.short, side), SHORT_DISCLAIMER):
        group[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, line, CONTAINS))
    return group


def _algorithm(draft: Draft) -> sr.AlgorithmIdentification:
    model = draft.result.model
    return sr.AlgorithmIdentification(
        name=model.name,
        version=model.version,
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer=draft.device.manufacturer,
        parameters=[
            f"software={draft.device.model} {draft.device.software_version}",
            f"manifest_sha256={model.digest}",
            f"intended_use={model.intended_use}",
        ],
    )


def _numbers(question: codes.QuestionCodes, estimate: Estimate, drawn: Drawing) -> list[sr.Measurement]:
    region = sr.CoordinatesForMeasurement(
        sr.GraphicTypeValues.POLYLINE,
        drawn.box.polyline,
        sr.SourceImageForRegion(
            drawn.on.sop_class_uid, drawn.on.sop_instance_uid, [drawn.frame] if drawn.frame else None
        ),
    )
    shares = (
        (question.probability, estimate.probability),
        (codes.CI_LOWER, estimate.low),
        (codes.CI_UPPER, estimate.high),
    )
    return [
        sr.Measurement(name=name, value=percent(share), unit=codes.PERCENT, referenced_coordinates=[region])
        for name, share in shares
    ]


def _evaluations(draft: Draft, estimate: Estimate) -> list[sr.QualitativeEvaluation]:
    absent = missing(draft.result, estimate)
    coded = dict.fromkeys(codes.NOT_AVAILABLE.get(m, codes.OTHER_NOT_AVAILABLE) for m in absent)
    return [
        sr.QualitativeEvaluation(codes.QUESTIONS[draft.result.question].category, codes.CATEGORIES[estimate.category]),
        *(sr.QualitativeEvaluation(codes.COMPLETENESS, c) for c in coded or [codes.ALL_INPUTS]),
    ]
