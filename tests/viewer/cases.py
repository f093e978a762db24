"""The cases that a radiologist may meet: images of a study or two, and the result that rests on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final
from uuid import uuid5

from agent.core.prediction import NoEstimate, Side
from agent.core.result import Influence, Kind, Result, ResultObject, SourceImage
from agent.dicom.uids import device_uid
from agent.report.compose import Composer, DeviceIdentity, Language
from tests import builders
from tests.viewer import phantoms
from tests.viewer.phantoms import Image

DEVICE: Final = DeviceIdentity(
    device_uid(builders.INSTALLATION), "SENTINODE", "Sentinode", "Sentinode", "0001", "0.1.0"
)
COMPOSER: Final = Composer(DEVICE)
GERMAN: Final = Composer(DEVICE, language=Language.GERMAN)
EVERYTHING: Final = Composer(DEVICE, kinds=Kind)
REASON: Final = "A node biopsy has already proven metastasis"
OLDER, NEWER = date(2026, 1, 5), date(2026, 1, 19)
IN_BREAST, IN_AXILLA = (0.4125, 0.61), (0.1375, 0.17)  # column, row of the mass and the node, as shares of a left view


@dataclass(frozen=True)
class Shown:
    """A case as it stands in the archive: images as they came, and our objects."""

    images: tuple[Image, ...]
    objects: tuple[ResultObject, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        """Study Instance UIDs, that of our SR or text first."""
        own = [o.study_instance_uid for o in self.objects]
        return tuple(dict.fromkeys([*own, *(source.instance.study_instance_uid for _, source in self.images)]))

    @property
    def files(self) -> list[bytes]:
        """Everything to store, in sending order; of two forms of an object the preferred one."""
        return [part for part, _ in self.images] + [o.encoded for o in self.objects if not o.instead_of]

    @property
    def files_for_an_old_archive(self) -> list[bytes]:
        """Everything to store in an archive that takes no Comprehensive 3D SR."""
        replaced = {o.instead_of for o in self.objects}
        return [part for part, _ in self.images] + [
            o.encoded for o in self.objects if o.sop_instance_uid not in replaced
        ]

    def of(self, role: str) -> ResultObject:
        """Return our object of a role."""
        return next(o for o in self.objects if o.role == role)


def four_views(
    name: str, *, answers: Sequence[Any] | None = None, composer: Composer = COMPOSER, **attributes: Any
) -> Shown:
    """Four views; unless other answers are given, the left axilla is at high risk and the right at low."""
    images = [phantoms.mammogram(name, side, view, **attributes) for side in "RL" for view in ("CC", "MLO")]
    answers = [builders.estimate("L", 0.7312), builders.estimate("R", 0.042)] if answers is None else answers
    return shown(name, images, builders.result(answers, sources(images)), composer=composer)


def ultrasound_stills(name: str, **attributes: Any) -> Shown:
    """Two stills, the second of the axilla; mammography is missing."""
    images = [
        phantoms.still(name, "L", 1, **attributes),
        phantoms.still(name, "L", 2, BodyPartExamined="AXILLA", **attributes),
    ]
    found = [influence(i, *phantoms.NODE, by) for (_, i), by in zip(images, (0.4, 0.9), strict=True)]
    return shown(name, images, _of("US", images, found, 0.38))


def ultrasound_clip(name: str) -> Shown:
    """A clip of twelve frames, the eighth of which had influence."""
    images = [phantoms.clip(name, "L", 12, 8)]
    found = [influence(images[0][1], *phantoms.clip_node(8), 0.9)]
    return shown(name, images, _of("US", images, found, 0.38))


def dynamic_mr(name: str, *, one_series: bool, composer: Composer = COMPOSER) -> Shown:
    """Two phases of twenty slices; the middle slice of the phase after contrast had influence."""
    images = phantoms.dynamic(name, one_series=one_series)
    key = images[phantoms.MR_SLICES + phantoms.KEY_SLICE][1]
    found = [replace(influence(key, *phantoms.MR_NODE, 1.1, radius=0.6), side="L")]
    return shown(name, images, _of("MR", images, found, 0.7312), at_hand=[key], composer=composer)


def two_studies(name: str) -> Shown:
    """Mammography, and two weeks later an ultrasound study, which is the index study."""
    whose = phantoms.patient(name)
    views = [phantoms.mammogram(name, "L", view, OLDER, patient=whose) for view in ("CC", "MLO")]
    node = phantoms.still(f"{name}-us", "L", 1, NEWER, patient=whose)
    found = [
        influence(node[1], *phantoms.NODE, 0.9),
        *(influence(i, 800 * x, 1000 * y, 0.4) for (_, i), (x, y) in zip(views, (IN_BREAST, IN_AXILLA), strict=True)),
    ]
    more = {"modalities_used": ("clinical", "MG", "US"), "modalities_missing": ("MR",)}
    answer = builders.estimate("L", contributions={"prior": -0.8, "clinical": 0.4, "MG": 0.5, "US": 0.9})
    images = [node, *views]
    return shown(name, images, builders.result([answer], sources(images), found, **more))


def clinical_only(name: str) -> Shown:
    """The images were of no use to the model: the estimate rests on clinical facts alone."""
    images = [phantoms.mammogram(name, "L", "MLO")]
    more = {"modalities_used": ("clinical",), "modalities_missing": ("MG", "US", "MR"), "used": ()}
    answer = builders.estimate("L", 0.31, contributions={"prior": -1.2, "clinical": 0.4})
    return shown(name, images, builders.result([answer], sources(images), [], **more))


def no_estimate(name: str) -> Shown:
    """Four views, and an answer without a number."""
    return four_views(name, answers=[NoEstimate(Side.L, REASON)])


def superseded(name: str, **attributes: Any) -> Shown:
    """Version 1 on one view; version 2, which knows of the other, too."""
    images = [phantoms.mammogram(name, "L", view, **attributes) for view in ("MLO", "CC")]
    before = shown(name, images[:1], builders.result([builders.estimate("L", 0.7312)], sources(images[:1])))
    references = {o.role: o.reference for o in before.objects}
    later = builders.result([builders.estimate("L", 0.31)], sources(images), version=2, predecessors=references)
    return Shown(tuple(images), before.objects + shown(name, images, later).objects)


def shown(
    name: str,
    images: Sequence[Image],
    result: Result,
    at_hand: Sequence[SourceImage] | None = None,
    composer: Composer = COMPOSER,
) -> Shown:
    """Make the objects of a result as a case, and of a patient, of its own: UIDs of two studies must differ."""
    of_case = replace(result, case_uuid=uuid5(builders.INSTALLATION, name), patient=images[0][1].instance.patient)
    return Shown(tuple(images), composer(of_case, sources(images) if at_hand is None else at_hand))


def sources(images: Sequence[Image]) -> list[SourceImage]:
    """Return what report is given of images."""
    return [source for _, source in images]


def influence(image: SourceImage, x: float, y: float, by: float, *, radius: float = 1.0) -> Influence:
    """Return an influence whose peak is at column x, row y."""
    saliency = builders.saliency(image, x, y) ** (1 / radius**2)
    return builders.influence(image, contribution=by, saliency_hw=saliency)


def _of(modality: str, images: Sequence[Image], found: Sequence[Influence], probability: float) -> Result:
    missing = tuple(m for m in ("MG", "US", "MR") if m != modality)
    more = {"modalities_used": ("clinical", modality), "modalities_missing": missing}
    answer = builders.estimate("L", probability, contributions={"prior": -1.4, "clinical": 0.3, modality: 0.9})
    return builders.result([answer], sources(images), found, **more)
