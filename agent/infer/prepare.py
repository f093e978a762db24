"""From the images and facts of a case to the tensors of a bundle, all axillae in one batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent, Rejected
from agent.core.instance import Instance
from agent.core.manifest import BundleManifest
from agent.core.ports import Record, SpoolSource, StoredInstance
from agent.core.prediction import Side
from agent.core.result import SourceImage
from agent.infer.question import Asked
from agent.infer.selection import SAME_VIEW, Candidates, select
from agent.preprocess.mammogram import prepare
from agent.preprocess.placement import Placement
from agent.preprocess.tabular import Encoded

Floats: TypeAlias = NDArray[np.float32]


class Picture(Protocol):
    """Decoded pixels of one image, as `agent.dicom.pixels.Pixels`."""

    @property
    def image_hw(self) -> NDArray[Any]:
        """Values as stored, (H, W)."""

    @property
    def inverted(self) -> bool:
        """Whether low values are bright."""

    @property
    def reduction(self) -> int:
        """By how much it is reduced to be looked at."""

    def display_hw8(self, reduction: int = 1) -> NDArray[np.uint8]:
        """The image as a screen shows it."""


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """How stored instances become pictures and headers."""

    spool: SpoolSource
    to_part10: Callable[[Record], bytes]
    decode: Callable[[bytes], Picture]
    header: Callable[[bytes], bytes]

    def part10(self, stored: StoredInstance) -> bytes:
        """Return the Part 10 file. Raises Permanent if its bytes are gone or damaged."""
        return self.to_part10(self.spool.read(stored.ref))

    def header_only(self, stored: Sequence[StoredInstance]) -> tuple[SourceImage, ...]:
        """Return the headers that can be read, with no pixels, for a report that rests on no image."""
        sources = []
        for one in stored:
            try:
                sources.append(SourceImage(one.instance, self.header(self.part10(one)), np.zeros((0, 0), np.uint8)))
            except (Permanent, Rejected):
                continue
        return tuple(sources)


@dataclass(frozen=True)
class View:
    """One image on its way into the tensor, and back."""

    source: SourceImage
    tensor_hw: Floats  # in [0, 1]
    placement: Placement

    @property
    def instance(self) -> Instance:
        """Header of the image."""
        return self.source.instance


@dataclass(frozen=True)
class Unused:
    """An image that is not used, and why; `part10` is set where it is to be quarantined."""

    stored: StoredInstance
    reason: str
    part10: bytes | None = None


@dataclass(frozen=True)
class Images:
    """The views of each axilla, and every image that is not among them."""

    views: Mapping[Side, tuple[View, ...]]
    unused: tuple[Unused, ...]


def prepare_images(
    instances: Sequence[StoredInstance], asked: Asked, manifest: BundleManifest, reader: ImageReader
) -> Images:
    """Choose, decode and preprocess the images of all axillae that are asked about.

    Of each view the newest image that can be decoded is used.
    """
    selection = select(instances, asked.open_sides, asked.window, manifest.modalities)
    unused = [Unused(stored, reason) for stored, reason in selection.left_out]
    views: dict[Side, tuple[View, ...]] = {}
    for side, candidates in selection.views.items():
        found = [_first_usable(images, manifest, reader, unused) for images in candidates]
        views[side] = tuple(view for view in found if view is not None)
    return Images(views, tuple(unused))


def _first_usable(
    images: Candidates, manifest: BundleManifest, reader: ImageReader, unused: list[Unused]
) -> View | None:
    """Prepare the newest usable image of one view; note the others in `unused`."""
    used: View | None = None
    for stored in images:
        if used is not None:
            unused.append(Unused(stored, SAME_VIEW))
            continue
        try:
            part10 = reader.part10(stored)
        except Permanent as exc:
            unused.append(Unused(stored, str(exc)))
            continue
        try:
            used = _view(stored.instance, part10, manifest, reader)
        except Rejected as exc:
            unused.append(Unused(stored, str(exc), part10))
    return used


def _view(instance: Instance, part10: bytes, manifest: BundleManifest, reader: ImageReader) -> View:
    picture = reader.decode(part10)
    try:
        tensor_hw, placement = prepare(
            picture.image_hw, inverted=picture.inverted, **manifest.preprocessing["mammogram"]
        )
    except ValueError:
        raise Rejected("the image is too small to be a mammogram") from None
    if _is_blank(picture.image_hw):
        raise Rejected("the image is blank")
    shown = picture.display_hw8(picture.reduction)
    source = SourceImage(instance, reader.header(part10), shown, float(picture.reduction))
    return View(source, tensor_hw, placement)


def _is_blank(image_hw: NDArray[Any]) -> bool:
    """Whether there is nothing to see: of every eighth pixel along each axis, all but a few have one value."""
    sample = image_hw[::8, ::8]
    low, high = np.percentile(sample, (1, 99))
    return bool(high - low < 1)


def tensors(
    manifest: BundleManifest, encoded: Encoded, views: Sequence[Sequence[View]]
) -> dict[str, NDArray[np.float32]]:
    """Lay out one batch: N axillae with up to V views each, what is missing marked as not present.

    Parameters
    ----------
    manifest
        Names the inputs; those of a modality that it does not have are left away.
    encoded
        The patient's facts: the same for each axilla.
    views
        For each axilla its images.

    Returns
    -------
    dict
        clinical, clinical_present (N, F); mammogram (N, V, 1, H, W), mammogram_present (N, V)
    """
    rows = len(views)
    inputs = {
        "clinical": np.tile(encoded.values, (rows, 1)),
        "clinical_present": np.tile(encoded.present, (rows, 1)),
    }
    if "mammogram" in manifest.preprocessing:
        inputs |= _image_tensors(manifest.preprocessing["mammogram"], views)
    return {tensor.name: inputs[tensor.name] for tensor in manifest.inputs}


def _image_tensors(settings: Mapping[str, Any], views: Sequence[Sequence[View]]) -> dict[str, Floats]:
    most = max([1, *(len(of_axilla) for of_axilla in views)])
    batch = np.zeros((len(views), most, 1, settings["height"], settings["width"]), np.float32)
    present = np.zeros((len(views), most), np.float32)
    for row, of_axilla in enumerate(views):
        for column, view in enumerate(of_axilla):
            batch[row, column, 0] = view.tensor_hw
            present[row, column] = 1
    return {"mammogram": batch, "mammogram_present": present}
