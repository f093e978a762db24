"""Results as the agent's own composer makes them, varied to tell where each attribute is from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from inspect import signature
from io import BytesIO
from typing import Any, Final
from uuid import UUID, uuid5

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import UltrasoundMultiFrameImageStorage

from agent.bootstrap.worker import build_composer
from agent.config import Config
from agent.core.patient import OF_SENDER, PatientKey
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind, Result, ResultObject, SourceImage
from tests import builders
from tests.unit.report import scenes

Scene = tuple[Result, Sequence[SourceImage]]
Compose = Callable[[Result, Sequence[SourceImage]], Sequence[ResultObject]]
EVERYTHING, SECOND, CLIP = 0, 7, 8  # scenes with every kind of object between them
OTHER: Final = UUID("0f0f0f0f-0000-4000-8000-00000000000f")
BARE: Final = ("IssuerOfPatientID", "PatientAge", "StudyDescription", "PatientOrientation", "BodyPartExamined")
EMPTY: Final = (
    *("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    "ReferringPhysicianName",
)
SITE: Final[dict[str, Any]] = {
    "site": {"name": "Example"},
    "dicom": {},
    "ehr": {"url": "sqlite://"},
    "models": [{"bundle": "."}],
    "destinations": [
        {
            "name": "pacs",
            "ae_title": "PACS",
            "host": "127.0.0.1",
            "port": 104,
            "send": [kind for kind in Kind if kind is not Kind.REJECTION],
            "reject_superseded": True,
        }
    ],
}
CONFIGURED: Final[dict[str, dict[str, Any]]] = {
    "dicom.ae_title": {"dicom": {"ae_title": "ANOTHER"}},
    "site.language": {"site": {"name": "Example", "language": "de"}},
    "site.time_zone": {"site": {"name": "Example", "time_zone": "Pacific/Pago_Pago"}},
}
"""Keys of config.yaml that stand in objects, each with another value than its default."""


@dataclass(frozen=True)
class Made:
    """One object, the headers of its result's images, and what was varied: nothing, a key, or the images."""

    ds: Dataset
    sources: tuple[Dataset, ...]
    varied: str
    kind: Kind
    scene: int


def made() -> dict[tuple[Kind, str], list[Made]]:
    """Return every object of every scene, by kind and SOP Class UID, in sending order."""
    usual = _composer({})
    shown = list(_scenes(usual))
    composers = {"": usual, "images": _composer({}, OTHER)} | {k: _composer(site) for k, site in CONFIGURED.items()}
    found = [
        one
        for varied, compose in composers.items()
        for number, scene in enumerate(shown)
        if not varied or number in (SECOND, CLIP, *([EVERYTHING] if varied == "images" else []))
        for one in _objects(compose, _of_another(*scene) if varied == "images" else scene, varied, number)
    ]
    order = list(Kind)
    grouped: dict[tuple[Kind, str], list[Made]] = {}
    for one in sorted(found, key=lambda o: order.index(o.kind)):
        grouped.setdefault((one.kind, str(one.ds.SOPClassUID)), []).append(one)
    return grouped


def _scenes(compose: Compose) -> Iterator[Scene]:
    """Yield results of every kind: what they rest on, whom they are about, and which version they are."""
    yield scenes.everything()
    scaled = {"RescaleSlope": "2", "RescaleIntercept": "-10"}
    views = [builders.source_image(builders.mammogram(s, v, **scaled)) for s in "LR" for v in ("CC", "MLO")]
    answers = [builders.estimate("L", 0.04), builders.estimate("R", 0.4)]
    yield builders.result(answers, views, site_prevalence=0.25, modalities_missing=()), views
    yield builders.result([NoEstimate(Side.R, "no facts")], views[2:]), views[2:]
    yield builders.result(None, [], []), views[:1]
    yield _bare()
    yield scenes.mr_alone("R", **_placed(1.5), ImageOrientationPatient=[1, 0, 0, 0, 0.8, 0.6])
    dynamic = scenes.mr_alone(**_placed(2))
    yield _second(compose, *dynamic, version=3, was_of_another=True)
    yield _second(compose, *dynamic, version=2)
    yield _clip("L", 40)
    result, images = _clip("R", 30)
    yield replace(result, version=4), images
    yield _of_two_studies(compose)


def _of_two_studies(compose: Compose) -> Scene:
    """A version that rejects objects in two studies; the headers say as little of patient and study as may be."""
    placed = _placed(2) | dict.fromkeys(EMPTY, "")
    del placed["StudyDescription"]
    result, images = scenes.mr_alone("R", **placed)
    elsewhere = [builders.source_image(builders.mammogram("R", "MLO", study="earlier"))]
    before = [*compose(result, images), *compose(builders.result(None, elsewhere), elsewhere)]
    return replace(
        result,
        version=2,
        predecessors={o.role: o.reference for o in compose(result, images)},
        superseded=tuple(o.reference for o in before if not o.instead_of),
    ), images


def _placed(spacing: float) -> dict[str, Any]:
    """Attributes with which an MR slice lies somewhere and says how it is shown."""
    return {
        "FrameOfReferenceUID": builders.uid("frame of reference"),
        "StudyDescription": f"MR {spacing}",
        "PixelSpacing": [spacing, spacing],
        "SliceThickness": spacing + 1,
        "WindowCenter": 300,
        "WindowWidth": 600,
    }


def _second(compose: Compose, result: Result, images: Sequence[SourceImage], **more: Any) -> Scene:
    before = compose(result, images)
    superseded = tuple(o.reference for o in before if not o.instead_of)
    return replace(result, predecessors={o.role: o.reference for o in before}, superseded=superseded, **more), images


def _clip(side: str, y: int) -> Scene:
    """One frame of a colour ultrasound clip of the axilla."""
    colour = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3, "BodyPartExamined": "AXILLA"}
    ds = scenes.ultrasound(side, 9, SOPClassUID=UltrasoundMultiFrameImageStorage, **colour)
    image = scenes.source(ds, frame=6, frames=12)
    used: dict[str, Any] = {**scenes.ALL, "used": (image.instance,)}
    answer = builders.estimate(side)
    return builders.result([answer], [image], [builders.influence(image, 50, y)], **used), [image]


def _bare() -> Scene:
    """A mammogram whose header says as little of patient and study as may be."""
    patient = PatientKey(f"{OF_SENDER}MAMMO1", builders.PATIENT.patient_id)
    ds = builders.mammogram(**dict.fromkeys(BARE), **dict.fromkeys(EMPTY, ""), patient=patient)
    image = builders.source_image(ds, patient=patient)
    return builders.result(None, [image], patient=patient), [image]


def _composer(site: dict[str, Any], installation: UUID = builders.INSTALLATION) -> Compose:
    config: Any = Config.model_validate({**SITE, **site})
    store: Any = _Installed(installation)
    compose: Any = build_composer(config, store)
    told = [_refuse] * (len(signature(compose).parameters) - 2)  # of a kind that is left out, where it can be
    return lambda result, images: compose(result, images, *told)


def _refuse(kind: Kind, reason: str) -> None:
    raise ValueError(f"no {kind} was made: {reason}")


class _Installed:
    """A database that knows the installation alone."""

    def __init__(self, installation: UUID) -> None:
        self.installation = lambda: installation

    @contextmanager
    def looking(self) -> Iterator["_Installed"]:
        yield self


def _objects(compose: Compose, scene: Scene, varied: str, number: int) -> Iterator[Made]:
    result, images = scene
    headers = tuple(dcmread(BytesIO(image.header)) for image in images)
    for one in compose(result, images):
        yield Made(_read(one), headers, varied, one.kind, number)


def _read(one: ResultObject) -> Dataset:
    return dcmread(BytesIO(one.encoded))


def _of_another(result: Result, images: Sequence[SourceImage]) -> Scene:
    """Return the same result of another patient, case and day, on images of other sizes."""
    changed = [_changed(image) for image in images]
    by_uid = {a.instance.sop_instance_uid: b.instance for a, b in zip(images, changed, strict=True)}
    influences = [
        replace(i, sop_instance_uid=by_uid[i.sop_instance_uid].sop_instance_uid, saliency_hw=i.saliency_hw[:-2, :-2])
        for i in result.influences
    ]
    return replace(
        result,
        installation=OTHER,
        case_uuid=OTHER,
        patient=_patient(result.patient),
        made_at=result.made_at + timedelta(days=1, minutes=1),
        used=tuple(by_uid.get(i.sop_instance_uid) or _moved(i) for i in result.used),
        influences=tuple(influences),
        model=replace(result.model, name="another", version="9.9.9", digest="9" * 64),
    ), changed


def _changed(image: SourceImage) -> SourceImage:
    header = dcmread(BytesIO(image.header))
    for element in header:
        if element.value not in (None, "") and element.VR in CHANGES:
            element.value = CHANGES[element.VR](element.value)
    header.SpecificCharacterSet = "ISO_IR 100"
    header.PatientSex = {"F": "O"}.get(header.PatientSex, "")
    header.SOPClassUID = image.instance.sop_class_uid
    header.Rows, header.Columns = header.Rows - 2, header.Columns - 2
    instance = replace(_moved(image.instance), rows=header.Rows, columns=header.Columns)
    pixels = np.ascontiguousarray(image.image_hw[:-2, :-2])
    frame = image.frame + 1 if image.frame else 0
    return replace(image, instance=instance, header=builders.part10(header), image_hw=pixels, frame=frame)


def _moved(instance: Any) -> Any:
    """Return an image of another patient and study."""
    return replace(
        instance,
        patient=_patient(instance.patient),
        acquired_on=instance.acquired_on + timedelta(days=1),
        **{name: _uid(getattr(instance, name)) for name in ("study_instance_uid", "series_instance_uid")},
        sop_instance_uid=_uid(instance.sop_instance_uid),
    )


def _patient(patient: PatientKey) -> PatientKey:
    return PatientKey(patient.issuer if patient.is_internal else f"{patient.issuer}9", f"{patient.patient_id}9")


def _uid(uid: str) -> str:
    return f"2.25.{uuid5(OTHER, uid).int}"


def _day(value: str) -> str:
    return f"{datetime.strptime(value, '%Y%m%d') + timedelta(days=1):%Y%m%d}"


CHANGES: Final[dict[str, Any]] = {
    **dict.fromkeys(("LO", "SH", "LT", "ST", "PN"), lambda value: f"{value}9"),
    "DA": _day,
    "TM": lambda value: f"{(int(value) + 1) % 240000:06d}",
    "AS": lambda value: "057Y",
    "UI": lambda value: _uid(str(value)),
    "IS": lambda value: int(value) + 50,
}
"""How values of a Value Representation become others."""
