"""Ultrasound and dynamic MR for the report tests: small valid images, and what report is given of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import MRImageStorage, UltrasoundImageStorage, VLMicroscopicImageStorage

from agent.core.result import Influence, Result, SourceImage
from tests import builders

DAY = date(2026, 1, 5)
SHAPE = (60, 96)  # rows, columns of an MR slice
ALL = {"modalities_used": ("clinical", "MG", "US", "MR"), "modalities_missing": ()}
CONTRIBUTIONS = {"prior": -0.8, "clinical": 0.35, "MG": 0.52, "US": 1.1, "MR": -0.17}


def _dataset(modality: str, study: str, names: Sequence[object], day: date, **attributes: Any) -> Dataset:
    ds = builders.mammogram(study=study, day=day, rows=8, columns=8)  # its pixels are not kept
    for keyword in [e.keyword for e in ds if e.keyword not in KEPT]:
        delattr(ds, keyword)
    ds.Modality, ds.Manufacturer, ds.ImageType = modality, "Synthetic", ["ORIGINAL", "PRIMARY"]
    ds.SOPInstanceUID = builders.uid(study, modality, *names)
    ds.SeriesInstanceUID = builders.uid(study, modality, "series")
    ds.SeriesNumber, ds.InstanceNumber, ds.StudyID = 2, 1, "1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BodyPartExamined = "BREAST"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


KEPT = frozenset(
    {
        *("SpecificCharacterSet", "StudyInstanceUID", "PatientName", "PatientID", "IssuerOfPatientID", "PatientAge"),
        *("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName"),
        *(f"{kind}{part}" for kind in ("Study", "Series", "Acquisition", "Content") for part in ("Date", "Time")),
    }
)


def ultrasound(side: str = "L", number: int = 1, *, study: str = "us", day: date = DAY, **attributes: Any) -> Dataset:
    """Return the header of an ultrasound image of 90 rows and 120 columns."""
    more: dict[str, Any] = {"ImageLaterality": side, "InstanceNumber": number, "SOPClassUID": UltrasoundImageStorage}
    ds = _dataset("US", study, [side, number], day, **more | attributes)
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 90, 120, 8, 8, 7
    return ds


def mr(
    phase: int, slice_: int, *, study: str = "mr", day: date = DAY, one_series: bool = False, **more: Any
) -> Dataset:
    """Return the header of one slice of one phase; phases have a series each, unless they share one."""
    values: dict[str, Any] = {
        "SOPClassUID": MRImageStorage,
        "SeriesInstanceUID": builders.uid(study, "MR", "all" if one_series else phase),
        "SeriesNumber": 4 if one_series else 4 + phase,
        "InstanceNumber": slice_ + 1 + (SLICES * phase if one_series else 0),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-160, -100, 5 * slice_],
    }
    if one_series:
        values |= {"TemporalPositionIdentifier": phase + 1, "NumberOfTemporalPositions": PHASES}
    ds = _dataset("MR", study, [phase, slice_], day, **values | more)
    (ds.Rows, ds.Columns), ds.BitsAllocated, ds.BitsStored, ds.HighBit = SHAPE, 16, 12, 11
    return ds


PHASES, SLICES = 4, 3


def slide(number: int = 1, *, study: str = "sm", day: date = DAY, **attributes: Any) -> Dataset:
    """Return the header of one colour image of a slide: a slide has no side."""
    more: dict[str, Any] = {
        "SOPClassUID": VLMicroscopicImageStorage,
        "InstanceNumber": number,
        "ContainerIdentifier": "1",
    }
    ds = _dataset("SM", study, [number], day, **more | attributes)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 90, 120, 8, 8, 7
    return ds


def slides(**more: Any) -> tuple[Result, list[SourceImage]]:
    """Return a result on one slide of a node."""
    image = source(slide())
    values: dict[str, Any] = {"modalities_used": ("SM",), "modalities_missing": (), "facts_used": ()} | more
    answer = builders.estimate(contributions={"prior": -0.8, "SM": 1.8})
    found = builders.influence(image, 50, 40, side="L")
    return builders.result([answer], [image], [found], question="histology", **values), [image]


def source(ds: Dataset, image_hw: NDArray[np.uint8] | None = None, *, frame: int = 0, frames: int = 1) -> SourceImage:
    """Return what report is given of an image; its pixels are noise unless given."""
    if image_hw is None:
        image_hw = np.random.default_rng(5).integers(20, 200, (ds.Rows, ds.Columns)).astype(np.uint8)
    instance = replace(builders.instance_of(ds), frames=frames)
    return SourceImage(instance, builders.part10(ds), image_hw, ds.Columns / image_hw.shape[1], frame)


def dynamic(**more: Any) -> list[SourceImage]:
    """Return all phases of all slices of a study."""
    return [source(mr(phase, slice_, **more)) for phase in range(PHASES) for slice_ in range(SLICES)]


def mr_influence(image: SourceImage, side: str, contribution: float = -0.17) -> Influence:
    """Return an influence in the half of the answer's side (the patient's left is at the image's right)."""
    x = (0.72 if side == "L" else 0.28) * image.instance.columns
    return builders.influence(image, x, 0.4 * image.instance.rows, contribution=contribution, side=side)


def everything(side: str = "L", **more: Any) -> tuple[Result, list[SourceImage]]:
    """Return a result on two mammograms, two ultrasound images and a dynamic MR, with its sources: no phase but one."""
    views = [builders.source_image(builders.mammogram(side, view, day=date(2026, 1, 2))) for view in ("CC", "MLO")]
    stills = [source(ultrasound(side, number)) for number in (1, 2)]
    phases = dynamic(day=date(2026, 1, 4))
    key = phases[SLICES + 1]  # the middle slice of the first phase after contrast
    found = [
        *(builders.influence(v, 60, 60, contribution=c) for v, c in zip(views, (0.12, 0.4), strict=True)),
        *(builders.influence(s, 40, 30, contribution=c) for s, c in zip(stills, (0.9, 0.2), strict=True)),
        mr_influence(key, side),
    ]
    values: dict[str, Any] = ALL | {"used": tuple(i.instance for i in [*stills, *phases, *views])} | more
    answer = builders.estimate(side, contributions=CONTRIBUTIONS)
    return builders.result([answer], [], found, **values), [*views, *stills, key]


def mr_alone(side: str = "L", **more: object) -> tuple[Result, list[SourceImage]]:
    """Return a result on a dynamic MR, of which the key slice alone is at hand."""
    phases = dynamic(**more)
    key = phases[SLICES + 1]
    used = {"used": tuple(p.instance for p in phases), **ALL}
    return builders.result([builders.estimate(side)], [], [mr_influence(key, side)], **used), [key]
