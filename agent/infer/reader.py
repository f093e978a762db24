"""How stored instances become pictures, headers and places in millimetres; each reading is handed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent, Rejected
from agent.core.instance import Instance
from agent.core.ports import Record, SpoolSource, StoredInstance
from agent.core.result import SourceImage
from agent.preprocess.placement import Box


class Picture(Protocol):
    """Decoded pixels of one image, as `agent.dicom.pixels.Pixels`."""

    @property
    def image_hw(self) -> NDArray[Any]:
        """Values as stored, (H, W)."""

    @property
    def inverted(self) -> bool:
        """Whether low values are bright."""

    @property
    def frame(self) -> int:
        """Which frame of several it is, from 1; 0 where the image has one."""

    @property
    def reduction(self) -> int:
        """By how much it is reduced to be looked at."""

    def display_hw8(self, reduction: int = 1) -> NDArray[np.uint8]:
        """The image as a screen shows it."""


class Scale(Protocol):
    """Where an ultrasound image lies, as `agent.dicom.geometry.UltrasoundScale`."""

    @property
    def region(self) -> Box | None:
        """The field of view within the image."""

    @property
    def pixel_mm(self) -> float | None:
        """Size of a pixel."""


class Slice(Protocol):
    """Where and when an MR image was taken, as `agent.dicom.geometry.MrSlice`."""

    @property
    def position_mm(self) -> float:
        """Place along the slices' normal, towards the head."""

    @property
    def columns_to_left(self) -> bool:
        """Whether columns count towards the patient's left."""

    @property
    def rows_to_back(self) -> bool:
        """Whether rows count towards the patient's back."""

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Distance between rows and between columns."""

    @property
    def acquired(self) -> str:
        """When it was taken, YYYYMMDDHHMMSS.ffffff; empty if not stated."""

    @property
    def temporal_position(self) -> int | None:
        """Temporal Position Identifier, if it has one."""

    @property
    def derived(self) -> bool:
        """Whether it was computed from other images."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def columns(self) -> int:
        """Number of columns."""

    @property
    def slope(self) -> float:
        """Intensity is slope * stored value + intercept."""

    @property
    def weighting(self) -> str:
        """What is alike in all phases of one dynamic series."""

    @property
    def intercept(self) -> float:
        """See `slope`."""


def unseen(instance: Instance, header: bytes) -> SourceImage:
    """Return an object without its pixels."""
    return SourceImage(instance, header, np.zeros((0, 0), np.uint8))


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """How stored instances become pictures and headers. All but the spool's readings raise Rejected."""

    spool: SpoolSource
    to_part10: Callable[[Record], bytes]
    decode: Callable[[bytes], Picture]
    header: Callable[[bytes], bytes]
    ultrasound_scale: Callable[[bytes], Scale]
    mr_slices: Callable[[bytes], Sequence[Slice]]  # of each frame
    open_frames: Callable[[bytes], Callable[[int], Picture]]  # by the number of the frame, from 1

    def part10(self, stored: StoredInstance) -> bytes:
        """Return the Part 10 file. Raises Permanent if its bytes are gone or damaged."""
        return self.to_part10(self.spool.read(stored.ref))

    def shown(self, instance: Instance, part10: bytes, picture: Picture) -> SourceImage:
        """Return an image as a report shows it."""
        reduction = picture.reduction
        shown_hw8 = picture.display_hw8(reduction)
        return SourceImage(instance, self.header(part10), shown_hw8, float(reduction), picture.frame)

    def unseen(self, instance: Instance, part10: bytes) -> SourceImage:
        """Return an image of which a report needs the header alone."""
        return unseen(instance, self.header(part10))

    def header_only(self, stored: Sequence[StoredInstance]) -> tuple[SourceImage, ...]:
        """Return the headers that can be read, with no pixels, for a report that rests on no image."""
        sources = []
        for one in stored:
            try:
                sources.append(self.unseen(one.instance, self.part10(one)))
            except (Permanent, Rejected):
                continue
        return tuple(sources)
