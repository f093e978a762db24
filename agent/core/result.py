"""The one frozen result from which every object is made, so that no two of them can differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.prediction import Answer, Estimate, OperatingPoint


class Kind(StrEnum):
    """Kinds of result objects; their order is the order in which they are sent."""

    SR = "sr"
    TEXT_SR = "text_sr"
    SECONDARY_CAPTURE = "secondary_capture"
    SEGMENTATION = "segmentation"
    PRESENTATION_STATE = "presentation_state"
    KEY_OBJECT = "key_object"  # which of our objects and source images are worth a look
    REJECTION = "rejection"  # the objects of an earlier version, by a Key Object of IOCM


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which bundle answered."""

    name: str
    version: str
    digest: str  # sha256 of manifest.json, which holds the digest of every other file
    intended_use: str
    training_summary: str
    label: str
    training_prevalence: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An input that was there and was not used, and why."""

    what: str  # SOP Instance UID, or the name of a fact
    reason: str
    modality: str = ""  # of an image


@dataclass(frozen=True, slots=True)
class Influence:
    """Where one image influenced the estimate, in the image's own pixels."""

    sop_instance_uid: str
    modality: str
    side: str
    contribution: float  # logit
    saliency_hw: NDArray[np.float32]  # in [0, 1], of the size of `SourceImage.image_hw`
    frame: int = 0  # of several, from 1; 0: the one that `SourceImage` shows
    is_mapped: bool = True  # False: the model's own map held numbers that are none, `saliency_hw` is 0 everywhere


@dataclass(frozen=True, slots=True)
class Reference:
    """An object by its UIDs, as DICOM refers to one of another study (PS3.3 C.17.2.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Result:
    """Everything that is said about one version of a case. `answers` has one entry an axilla, the higher risk first."""

    installation: UUID
    case_uuid: UUID
    version: int
    question: str
    patient: PatientKey
    made_at: datetime  # UTC
    answers: tuple[Answer, ...]
    used: tuple[Instance, ...]  # every image given to the model, the index study's first
    facts_used: tuple[str, ...]
    modalities_used: tuple[str, ...]
    modalities_missing: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    influences: tuple[Influence, ...]
    evidence: tuple[str, ...]  # why the case counted as complete, one sentence each
    model: ModelIdentity
    operating_points: tuple[OperatingPoint, ...]
    predecessors: Mapping[str, Reference]  # role ("sr:L", "text_sr") -> that object of the version before
    site_prevalence: float | None = None
    superseded: tuple[Reference, ...] = ()  # objects of earlier versions that a destination has or may still get
    held_by: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # each one's UID -> destinations that are told; {}: all
    was_of_another: bool = False  # the version before named another patient or a retired ID, or used another's image
    new_inputs: tuple[str, ...] = ()  # "US", "clinical": of which this version knows more than the one it supersedes
    withdrawn: bool = False  # it has no images any more: what it supersedes is rejected, and nothing else is said

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """The answers that are numbers."""
        return tuple(a for a in self.answers if isinstance(a, Estimate))


@dataclass(frozen=True)
class SourceImage:
    """One image as report objects need it: its header, and its pixels ready to be looked at.

    `header` is a Part 10 file without pixel data. `image_hw` is uint8 (H, W) in display sense (MONOCHROME2,
    windowed), perhaps reduced: `reduction` source pixels stand for one of its pixels along each axis. `frame` is
    the frame of a multi-frame image that it shows, from 1; 0 where the image has one, or nobody knows.
    """

    instance: Instance
    header: bytes
    image_hw: NDArray[np.uint8]
    reduction: float = 1.0
    frame: int = 0


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One encoded object. `role` tells the objects of a version apart: "sr:L", "text_sr", "secondary_capture:L:1"."""

    kind: Kind
    role: str
    axilla: str  # L, R or empty
    index: int
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    encoded: bytes  # a Part 10 file
    needs: tuple[str, ...] = ()  # SOP Instance UIDs that must be sent before it
    instead_of: str = ""  # SOP Instance UID of the object for which it stands where that one's SOP class is not taken
    only_to: tuple[str, ...] = ()  # destinations; empty: every one that gets its kind

    @property
    def reference(self) -> Reference:
        """How another object names this one."""
        return Reference(self.sop_class_uid, self.sop_instance_uid, self.study_instance_uid, self.series_instance_uid)
