"""One result on its way to objects: what all of its objects share, and where each of them goes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.instance import Instance
from agent.core.prediction import Answer, Estimate, NoEstimate
from agent.core.result import Influence, Reference, Result, SourceImage
from agent.dicom import codes, uids
from agent.report.catalogue import Language
from agent.report.header import Source, read_source
from agent.report.region import stands_out
from agent.report.slot import FIRST_SERIES, SERIES_A_VERSION, Slot
from agent.report.words import Words

Made = TypeVar("Made")

CHARACTER_SET: Final = "ISO_IR 192"
KEY_IMAGES: Final = 3  # heatmaps of a modality and an axilla: more are looked at by nobody


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """The device that makes the objects (PS3.3 C.7.5.1, PS3.16 TID 1004). `name` is often its AE title."""

    uid: str
    name: str
    manufacturer: str
    model: str
    serial: str
    software_version: str


@dataclass(frozen=True)
class Place:
    """Where one image influenced the estimate of one axilla."""

    source: Source
    influence: Influence


@dataclass(frozen=True)
class Draft:
    """One result with its source images, and everything that its objects have in common."""

    result: Result
    device: DeviceIdentity
    sources: tuple[Source, ...]
    index: Source  # of the newest study that was used: SR and text SR go into that study
    words: Words  # of the question, in the language of the site

    @classmethod
    def of(
        cls,
        result: Result,
        images: Sequence[SourceImage],
        device: DeviceIdentity,
        zone: tzinfo = UTC,
        language: Language = Language.ENGLISH,
    ) -> "Draft":
        """Read the headers and find the index study.

        Raises
        ------
        Permanent
            If there is no source image, one that had influence is missing or unlike its map, or nobody asks this.
        """
        result = _with_points(result)
        words = Words.of(result.question, language, zone)
        sources = tuple(read_source(image).of_patient(result.patient) for image in images)
        by_image = _by_image(sources)
        for influence in result.influences:
            _check(influence, by_image.get((influence.sop_instance_uid, influence.frame)))
        return cls(result, device, sources, _index(result, sources), words)

    @cached_property
    def ranked(self) -> tuple[Estimate, ...]:
        """The estimates, the higher risk first."""
        return tuple(sorted(self.result.estimates, key=lambda e: (-e.probability, e.side)))

    @property
    def refused(self) -> tuple[NoEstimate, ...]:
        """The answers without a number."""
        return tuple(a for a in self.result.answers if isinstance(a, NoEstimate))

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer: the higher risk first, those without a number last."""
        return (*self.ranked, *self.refused)

    @property
    def evidence(self) -> tuple[Instance, ...]:
        """Every image given to the model; where none was, the images of the index study."""
        study = self.index.instance.study_instance_uid
        return self.result.used or tuple(i for i in self.at_hand if i.study_instance_uid == study)

    @property
    def at_hand(self) -> tuple[Instance, ...]:
        """Every image that came with the result, one of several frames once."""
        return tuple({s.instance.sop_instance_uid: s.instance for s in self.sources}.values())

    def places(self, estimate: Estimate) -> tuple[Place, ...]:
        """Where the key images influenced an estimate: the index study's first, then the newer, the stronger first.

        Of each modality these are the images with the most influence.
        """
        found = [
            Place(self._by_image[i.sop_instance_uid, i.frame], i)
            for i in self.result.influences
            if i.side == estimate.side
        ]
        rank: Counter[str] = Counter()
        kept = []
        for place in sorted(found, key=_strength):
            rank[place.influence.modality] += 1
            if rank[place.influence.modality] <= KEY_IMAGES:
                kept.append(place)
        return tuple(sorted(kept, key=self._precedence))

    def has_region(self, influence: Influence) -> bool:
        """Whether a region stands out in the map of an image."""
        return _key(influence) not in self._unmarked

    @cached_property
    def _unmarked(self) -> frozenset[tuple[str, int, str]]:
        return frozenset(_key(one) for one in self.result.influences if not stands_out(one.saliency_hw))

    def once(self, what: object, make: Callable[[], Made]) -> Made:
        """Return what pictures and rules ask of the same draft again and again, made when first asked for."""
        if what not in self._made:
            self._made[what] = make()
        found: Made = self._made[what]
        return found

    @cached_property
    def _made(self) -> dict[object, Any]:
        return {}

    @cached_property
    def _by_image(self) -> Mapping[tuple[str, int], Source]:
        return _by_image(self.sources)

    def _precedence(self, place: Place) -> tuple[bool, int, float, str]:
        instance = place.source.instance
        elsewhere = instance.study_instance_uid != self.index.instance.study_instance_uid
        return elsewhere, -_day(instance).toordinal() if elsewhere else 0, *_strength(place)

    def uid(self, slot: Slot) -> str:
        """Return the SOP Instance UID of an object, known before it is made."""
        result = self.result
        return uids.mint(
            installation=result.installation,
            case_uuid=result.case_uuid,
            version=result.version,
            question=result.question,
            axilla=slot.axilla,
            kind=slot.kind,
            sop_class_uid=slot.sop_class_uid,
            index=slot.index,
        )

    def series_uid(self, slot: Slot, study_uid: str) -> str:
        """Return the Series Instance UID of an object in a study."""
        result = self.result
        return uids.series_uid(
            installation=result.installation,
            case_uuid=result.case_uuid,
            version=result.version,
            question=result.question,
            role=slot.label,
            study_uid=study_uid,
        )

    def reference(self, slot: Slot, source: Source) -> Reference:
        """How another object names one of ours, made or not, in the study of a source image."""
        study = source.instance.study_instance_uid
        return Reference(slot.sop_class_uid, self.uid(slot), study, self.series_uid(slot, study))

    @property
    def made_at(self) -> datetime:
        """When the result was made, in the site's own time: date and time attributes carry no zone."""
        return self.result.made_at.astimezone(self.words.zone)

    def base(self, slot: Slot, source: Source) -> Dataset:
        """Return the modules that every object has, within the study of a source image."""
        ds = Dataset()
        ds.SpecificCharacterSet = CHARACTER_SET
        ds.update(source.subject)
        self._sop_common(ds, slot)
        self._series(ds, slot, source.instance.study_instance_uid)
        self._equipment(ds)
        return ds

    def _sop_common(self, ds: Dataset, slot: Slot) -> None:
        ds.SOPClassUID = slot.sop_class_uid
        ds.SOPInstanceUID = self.uid(slot)
        ds.InstanceNumber = slot.instance_number
        ds.ContentDate, ds.ContentTime = date_and_time(self.made_at)
        ds.CodingSchemeIdentificationSequence = list(codes.SCHEMES)

    def _series(self, ds: Dataset, slot: Slot, study_uid: str) -> None:
        version = self.result.version
        ds.Modality = slot.modality
        ds.StudyInstanceUID = study_uid
        ds.SeriesInstanceUID = self.series_uid(slot, study_uid)
        ds.SeriesNumber = FIRST_SERIES + SERIES_A_VERSION * (version - 1) + slot.series
        ds.SeriesDate, ds.SeriesTime = date_and_time(self.made_at)
        ds.SeriesDescription = self.words.series(version, slot.label)

    def _equipment(self, ds: Dataset) -> None:
        ds.Manufacturer = self.device.manufacturer
        ds.ManufacturerModelName = self.device.model
        ds.DeviceSerialNumber = self.device.serial
        ds.SoftwareVersions = self.device.software_version
        ds.DeviceUID = self.device.uid


def date_and_time(moment: datetime) -> tuple[str, str]:
    """Return a moment as the values of a DA and a TM element."""
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


def _with_points(result: Result) -> Result:
    """Give every estimate its thresholds: those of the result where it has none of its own."""
    answers = (
        replace(a, points=a.points or result.operating_points) if isinstance(a, Estimate) else a for a in result.answers
    )
    return replace(result, answers=tuple(answers))


def _by_image(sources: Sequence[Source]) -> Mapping[tuple[str, int], Source]:
    """Name each source by its UID and frame; frame 0 is whichever there is."""
    return {
        **{(s.instance.sop_instance_uid, 0): s for s in sources},
        **{(s.instance.sop_instance_uid, s.frame): s for s in sources},
    }


def _check(influence: Influence, source: Source | None) -> None:
    if source is None:
        raise Permanent(f"no header of the image {influence.sop_instance_uid}, which had influence")
    saliency_hw = influence.saliency_hw
    if saliency_hw.shape != source.image_hw.shape:
        raise Permanent(f"the saliency map does not fit the image {influence.sop_instance_uid}")
    if not np.isfinite(saliency_hw).all():
        raise Permanent(f"the saliency map of the image {influence.sop_instance_uid} holds numbers that are none")


def _key(influence: Influence) -> tuple[str, int, str]:
    return influence.sop_instance_uid, influence.frame, influence.side


def _strength(place: Place) -> tuple[float, str]:
    return -abs(place.influence.contribution), place.source.instance.sop_instance_uid


def _index(result: Result, sources: Sequence[Source]) -> Source:
    order = {instance.sop_instance_uid: n for n, instance in enumerate(result.used)}
    candidates = [s for s in sources if s.instance.sop_instance_uid in order] or list(sources)
    if not candidates:
        raise Permanent("no image of the patient: a report needs a study to go into")
    return min(
        candidates,
        key=lambda s: (-_day(s.instance).toordinal(), order.get(s.instance.sop_instance_uid, len(order))),
    )


def _day(instance: Instance) -> date:
    return instance.acquired_on or date.min
