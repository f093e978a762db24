"""Values that tests start from: small synthetic mammograms and the results that rest on them. Nothing here is real."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.prediction import Answer, Category, Estimate, OperatingPoint, Side
from agent.core.result import Influence, ModelIdentity, Result, SourceImage

INSTALLATION = UUID("00000000-0000-4000-8000-000000000001")
CASE = UUID("00000000-0000-4000-8000-000000000002")
PATIENT = PatientKey("PHANTOM", "P-0001")
NAME = "DEMO^SYNTHETIC"
ORIENTATION = {("L", "CC"): ["A", "R"], ("R", "CC"): ["P", "L"], ("L", "MLO"): ["A", "FR"], ("R", "MLO"): ["P", "FL"]}
VIEW_CODES = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}


def uid(*parts: object) -> str:
    """Return a UID that is the same in each run."""
    return f"2.25.{uuid5(INSTALLATION, '/'.join(map(str, parts))).int}"


def mammogram_pixels(side: str, view: str, rows: int, columns: int) -> NDArray[np.uint16]:
    """Return a breast with a mass, on an MLO also a node; a right breast is mirrored. 12 bit, (rows, columns)."""
    y, x = np.mgrid[0:rows, 0:columns] * np.array([1000 / rows, 800 / columns])[:, None, None]

    def blob(cx: float, cy: float, sx: float, sy: float) -> NDArray[np.float64]:
        return np.exp(-(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))

    breast = ((x / 640) ** 2 + ((y - 560) / 430) ** 2) < 1
    image = np.where(breast, 900 + 500 * blob(260, 560, 170, 220), 60.0)
    if view == "MLO":
        image = image + 900 * ((x < 300 - y * 0.55) & (y < 540)) + 900 * blob(110, 170, 26, 38)
    image = image + 700 * blob(330, 610, 30, 30) + np.random.default_rng(7).normal(0, 30, image.shape)
    image = np.clip(image, 0, 4095).astype(np.uint16)
    return np.ascontiguousarray(image[:, ::-1]) if side == "R" else image


def mammogram(
    side: str = "L",
    view: str = "MLO",
    *,
    study: str = "s1",
    day: date = date(2026, 1, 5),
    rows: int = 250,
    columns: int = 200,
    patient: PatientKey = PATIENT,
    **attributes: Any,
) -> Dataset:
    """Return a valid Digital Mammography X-Ray Image For Presentation; `attributes` overwrite or, as None, remove."""
    pixels = mammogram_pixels(side, view, rows, columns)
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = uid(study, side, view)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(study), uid(study, side, view, "series")
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = NAME, patient.patient_id, patient.issuer
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19700101", "F", "056Y"
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = f"ACC{study}", "1", "REFERRER^SYNTHETIC"
    ds.StudyDescription, ds.SeriesDescription = "Mammography", f"{side} {view}"
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", day.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", "103000")
    _mammography(ds, side, view)
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = pixels.tobytes()
    return overwritten(ds, attributes)


def overwritten(ds: Dataset, attributes: Mapping[str, Any]) -> Dataset:
    """Set attributes of a dataset by keyword, and remove those that are None."""
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def _mammography(ds: Dataset, side: str, view: str) -> None:
    ds.Modality, ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "MG", "Synthetic", 1, 1
    ds.ImageType, ds.PresentationIntentType = ["ORIGINAL", "PRIMARY"], "FOR PRESENTATION"
    ds.ImageLaterality, ds.ViewPosition, ds.PatientOrientation = side, view, ORIENTATION[side, view]
    ds.BodyPartExamined = ds.OrganExposed = "BREAST"
    ds.PositionerType, ds.BreastImplantPresent, ds.DetectorType = "MAMMOGRAPHIC", "NO", "DIRECT"
    ds.ImagerPixelSpacing, ds.EstimatedRadiographicMagnificationFactor = [0.8, 0.8], "1.0"
    ds.AnatomicRegionSequence = [_code("76752008", "Breast")]
    ds.ViewCodeSequence = [_code(*VIEW_CODES[view])]
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = []
    ds.AcquisitionContextSequence = []
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape, ds.BurnedInAnnotation, ds.LossyImageCompression = "IDENTITY", "NO", "00"
    ds.WindowCenter, ds.WindowWidth = "1500", "3000"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def part10(ds: Dataset) -> bytes:
    """Encode a Dataset as a Part 10 file, Explicit VR Little Endian."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def instance_of(ds: Dataset, patient: PatientKey = PATIENT) -> Instance:
    """Return the core value of a mammogram."""
    return Instance(
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        patient=patient,
        modality=str(ds.Modality),
        laterality=str(ds.get("ImageLaterality", "")),
        view_position=str(ds.get("ViewPosition", "")),
        presentation_intent=str(ds.get("PresentationIntentType", "")),
        acquired_on=datetime.strptime(ds.AcquisitionDate, "%Y%m%d").replace(tzinfo=UTC).date(),
        rows=int(ds.Rows),
        columns=int(ds.Columns),
    )


def source_image(ds: Dataset | None = None, *, reduce_by: int = 1, patient: PatientKey = PATIENT) -> SourceImage:
    """Return what report needs of a mammogram: header without pixels, and uint8 display pixels."""
    ds = mammogram() if ds is None else ds
    pixels = np.frombuffer(ds.PixelData, np.uint16).reshape(ds.Rows, ds.Columns)[::reduce_by, ::reduce_by]
    display = (np.minimum(pixels, 3000) / 3000 * 255).astype(np.uint8)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        display = 255 - display
    header = Dataset()  # Dataset(ds) would share its elements with ds
    header.update({e.tag: e for e in ds if e.keyword != "PixelData"})
    return SourceImage(instance_of(ds, patient), part10(header), display, float(reduce_by))


def saliency(image: SourceImage, x: float, y: float) -> NDArray[np.float32]:
    """Return a map over `image.image_hw` with its maximum at (x, y) of the source image's pixels."""
    rows, columns = image.image_hw.shape
    radius = 0.06 * image.instance.columns
    yy, xx = (np.mgrid[0:rows, 0:columns] + 0.5) * image.reduction
    return np.exp(-(((xx - x) / radius) ** 2 + ((yy - y) / radius) ** 2)).astype(np.float32)


def influence(image: SourceImage, x: float = 28, y: float = 42, *, contribution: float = 0.8, **more: Any) -> Influence:
    """Return an influence whose peak is at (x, y) of the source image's pixels; by default the node of a left MLO."""
    instance = image.instance
    return Influence(
        sop_instance_uid=instance.sop_instance_uid,
        modality=instance.modality,
        side=more.get("side", instance.laterality),
        contribution=contribution,
        saliency_hw=more.get("saliency_hw", saliency(image, x, y)),
    )


def estimate(side: str = "L", probability: float = 0.7312, **more: Any) -> Estimate:
    """Return an estimate with an interval around it."""
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    logit = float(np.log(inside / (1 - inside)))
    values: dict[str, Any] = {
        "low": max(0.0, probability - 0.12),
        "high": min(1.0, probability + 0.09),
        "category": Category.HIGH if probability >= 0.6 else Category.LOW if probability < 0.1 else Category.NOT_LOW,
        "contributions": {"prior": logit - 1.6, "clinical": 0.4, "MG": 1.2},
    }
    return Estimate(side=Side(side), probability=probability, **values | more)


MODEL = ModelIdentity(
    name="aln-demo",
    version="1.0.0",
    digest="0" * 64,
    intended_use="research",
    training_summary="2,000 patients of one centre",
    label="metastasis larger than 0.2 mm (pN1mi and above)",
    training_prevalence=0.42,
)
DEMONSTRATION_MODEL = replace(MODEL, intended_use="demonstration", training_summary="synthetic patients")
POINTS = (OperatingPoint("low", 0.1, 0.95, 0.41), OperatingPoint("high", 0.6, 0.38, 0.9))


def result(
    answers: Sequence[Answer] | None = None,
    images: Sequence[SourceImage] = (),
    influences: Sequence[Influence] | None = None,
    **more: Any,
) -> Result:
    """Return a result on `images`; unless given, each image had influence on the answer of its side."""
    answers = (estimate(),) if answers is None else tuple(answers)
    values: dict[str, Any] = {
        "installation": INSTALLATION,
        "case_uuid": CASE,
        "version": 1,
        "question": "aln",
        "patient": PATIENT,
        "made_at": datetime(2026, 1, 6, 9, 30, tzinfo=UTC),
        "used": tuple(i.instance for i in images),
        "facts_used": ("age", "size_ultrasound_mm", "grade"),
        "modalities_used": ("clinical", "MG"),
        "modalities_missing": ("US", "MR"),
        "left_out": (),
        "evidence": ("No image has arrived for 60 s, and no association is open.",),
        "model": MODEL,
        "operating_points": POINTS,
        "predecessors": {},
    }
    if influences is None:
        influences = _influences(answers, images)
    return Result(answers=tuple(answers), influences=tuple(influences), **values | more)


def _influences(answers: Sequence[Answer], images: Sequence[SourceImage]) -> list[Influence]:
    sides: Mapping[str, bool] = {str(a.side): True for a in answers if isinstance(a, Estimate)}
    found = []
    for image in images:
        instance = image.instance
        if sides.get(instance.laterality):
            mlo = instance.view_position == "MLO"
            x, y = (0.1375, 0.17) if mlo else (0.4125, 0.61)  # the node, else the mass
            x = 1 - x if instance.laterality == "R" else x
            at = x * instance.columns, y * instance.rows
            found.append(influence(image, *at, contribution=0.8 if mlo else 0.3))
    return found
