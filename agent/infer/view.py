"""Images on their way into the tensors and back, and those that stay behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent, Rejected
from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.result import SourceImage
from agent.infer.reader import ImageReader
from agent.preprocess.placement import Floats, Placement


@dataclass(frozen=True)
class View:
    """One place of a tensor: an image, or the phases of one slice position."""

    source: SourceImage  # what is shown of it; of MR the first image after contrast
    tensor_chw: Floats  # in [0, 1]
    placement: Placement
    others: tuple[SourceImage, ...] = ()  # what it rests on beside, without pixels: the other phases

    @property
    def instance(self) -> Instance:
        """Header of the image that is shown."""
        return self.source.instance

    @property
    def sources(self) -> tuple[SourceImage, ...]:
        """Every image that it rests on, the one that is shown first."""
        return self.source, *self.others


@dataclass(frozen=True)
class Unused:
    """An image that is not used, and why; `part10` is set where it is to be quarantined."""

    stored: StoredInstance
    reason: str
    part10: bytes | None = None

    @property
    def instance(self) -> Instance:
        """Its header."""
        return self.stored.instance


@dataclass(frozen=True)
class Images:
    """The views of each axilla, and every image that is not among them."""

    views: Mapping[Side, tuple[View, ...]]
    unused: tuple[Unused, ...]


def read_view(
    stored: StoredInstance, reader: ImageReader, make: Callable[[Instance, bytes], View], unused: list[Unused]
) -> View | None:
    """Make a view of an image, or note in `unused` why there is none; one that cannot be decoded is quarantined."""
    try:
        part10 = reader.part10(stored)
    except Permanent as exc:
        unused.append(Unused(stored, str(exc)))
        return None
    try:
        return make(stored.instance, part10)
    except Unsuited as exc:
        unused.append(Unused(stored, str(exc)))
    except Rejected as exc:
        unused.append(Unused(stored, str(exc), part10))
    return None


class Unsuited(Rejected):
    """A sound image that the model cannot use: it is left out, not quarantined."""


def is_blank(image_hw: NDArray[Any]) -> bool:
    """Whether there is nothing to see: of every eighth pixel along each axis, all but a few have one value."""
    sample = image_hw[::8, ::8]
    low, high = np.percentile(sample, (1, 99))
    return bool(high - low < 1)


def joined(parts: Sequence[Images], sides: Sequence[Side]) -> Images:
    """Put the images of all modalities together."""
    views = {side: tuple(view for part in parts for view in part.views.get(side, ())) for side in sides}
    return Images(views, tuple(unused for part in parts for unused in part.unused))
