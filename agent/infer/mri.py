"""Dynamic MR of a case as views: the newest examination of both breasts, one view a slice position.

An image is a file, or one frame of an enhanced multi-frame object.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent, Rejected
from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.result import SourceImage
from agent.core.roles import Verdict
from agent.infer.dynamic import Dynamic, Located, find_dynamic
from agent.infer.reader import ImageReader, Picture
from agent.infer.selection import newest_studies_first
from agent.infer.view import Images, Unused, View
from agent.preprocess.mri import choose_phases, prepare
from agent.preprocess.placement import Box, Placement

MOST_SLICES: Final = 48
LONGEST_SIDE: Final = 640  # of a slice in memory

OLDER: Final = "a newer MR examination is used"
OTHER_PHASE: Final = "the model looks at other phases"
OTHER_SLICE: Final = f"{MOST_SLICES} evenly spaced slices are used, which is as many as the model gets"
PARTNER: Final = "another phase of this slice position cannot be used"

Position: TypeAlias = tuple[Located, ...]


@dataclass(frozen=True)
class _Shot:
    """One image as it is needed: reduced pixels, and what a report shows of it."""

    reduced_hw: NDArray[np.float32]
    source: SourceImage


@dataclass(frozen=True)
class _Volume:
    """What could be decoded of a dynamic series."""

    positions: tuple[Position, ...]
    shots: tuple[tuple[_Shot, ...], ...]  # of each position
    step: int


def prepare_mri(
    stored: Sequence[StoredInstance],
    sides: Sequence[Side],
    settings: Mapping[str, Any],
    reader: ImageReader,
    _verdict: Callable[[Instance], Verdict],
) -> Images:
    """Prepare the newest examination that has a dynamic series, for each side; slices from the feet upwards."""
    unused: list[Unused] = []
    views: dict[Side, tuple[View, ...]] = {}
    for study in newest_studies_first(stored):
        if views:
            unused += [Unused(one, OLDER) for one in study]
        else:
            views = _study(study, sides, settings, reader, unused)
    return Images(views, _once(unused, views))


def _once(unused: Sequence[Unused], views: Mapping[Side, Sequence[View]]) -> tuple[Unused, ...]:
    """Say of an object once why it is not used, and nothing of one that is, though it be with some of its frames."""
    used = {
        source.instance.sop_instance_uid for of_side in views.values() for view in of_side for source in view.sources
    }
    first: dict[str, Unused] = {}
    for one in unused:
        first.setdefault(one.instance.sop_instance_uid, one)
    return tuple(one for uid, one in first.items() if uid not in used)


def _study(
    study: Sequence[StoredInstance],
    sides: Sequence[Side],
    settings: Mapping[str, Any],
    reader: ImageReader,
    unused: list[Unused],
) -> dict[Side, tuple[View, ...]]:
    """Prepare one examination; empty if nothing of it can be used."""
    dynamic, left_out = find_dynamic(_located(study, reader, unused))
    unused += [Unused(one, reason) for one, reason in left_out]
    if dynamic is None:
        return {}
    volume = _volume(_chosen(dynamic, settings["phases"], unused), settings, reader, unused)
    if volume is None:
        return {}
    try:
        return {side: _views(volume, side, settings) for side in sides}
    except Rejected as exc:
        unused += [Unused(one.stored, str(exc)) for position in volume.positions for one in position]
        return {}


def _located(study: Sequence[StoredInstance], reader: ImageReader, unused: list[Unused]) -> list[Located]:
    """Read where and when each image was taken. What is not axial is sound: it is left out, not quarantined."""
    found = []
    for one in study:
        try:
            slices = reader.mr_slices(reader.part10(one))
            many = len(slices) > 1
            found += [Located(one, lies, number if many else 0) for number, lies in enumerate(slices, 1)]
        except (Permanent, Rejected) as exc:
            unused.append(Unused(one, str(exc)))
    return found


def _chosen(dynamic: Dynamic, phases: int, unused: list[Unused]) -> tuple[Position, ...]:
    """Choose the phases that the model looks at, and up to 48 slice positions, before anything is decoded."""
    wanted = sorted(set(choose_phases(dynamic.phases, phases)))
    count = len(dynamic.positions)
    kept = {round(place) for place in np.linspace(0, count - 1, min(count, MOST_SLICES))}
    positions = []
    for number, position in enumerate(dynamic.positions):
        if number not in kept:
            unused += [Unused(one.stored, OTHER_SLICE) for one in position]
            continue
        unused += [Unused(one.stored, OTHER_PHASE) for phase, one in enumerate(position) if phase not in wanted]
        positions.append(tuple(position[phase] for phase in wanted))
    return tuple(positions)


def _volume(
    positions: Sequence[Position], settings: Mapping[str, Any], reader: ImageReader, unused: list[Unused]
) -> _Volume | None:
    """Decode slice by slice; a position one image of which is damaged is left out."""
    step = _step(positions[0][0], settings["tensor_pixel_mm"])
    shown = {position[1].key for position in positions}
    decoder = _Decoder(reader)
    wanted = sorted((one for position in positions for one in position), key=lambda one: one.key)
    made = {one.key: _shot(one, one.key in shown, step, decoder, unused) for one in wanted}
    kept, shots = [], []
    for position in positions:
        read = [made[one.key] for one in position]
        whole = tuple(shot for shot in read if shot is not None)
        if len(whole) == len(position):
            kept.append(position)
            shots.append(whole)
        else:
            unused += [Unused(one.stored, PARTNER) for one, shot in zip(position, read, strict=True) if shot]
    return _Volume(tuple(kept), tuple(shots), step) if kept else None


def _step(one: Located, tensor_pixel_mm: float) -> int:
    """By how much slices are reduced once decoded: no further than the tensor needs, yet to a bearable size."""
    lies = one.slice
    needless = int(tensor_pixel_mm / max(lies.pixel_mm))
    return max(1, needless, -(-max(lies.rows, lies.columns) // LONGEST_SIDE))


class _Decoder:
    """Decodes images. It holds the last object, so frames of one are best asked for one after the other."""

    def __init__(self, reader: ImageReader) -> None:
        self._reader = reader
        self._held, self._part10 = -1, b""
        self._frame: Callable[[int], Picture] | None = None
        self._header: SourceImage | None = None

    def hold(self, stored: StoredInstance) -> bytes:
        """Read an object, unless it is the last one. Raises Permanent if its bytes are gone or damaged."""
        if self._held != stored.id:
            self._part10, self._frame, self._held = self._reader.part10(stored), None, stored.id
        return self._part10

    def source(self, one: Located, is_shown: bool) -> tuple[Picture, SourceImage]:
        """Decode an image of the object that is held. Raises Rejected."""
        instance, part10 = one.stored.instance, self._part10
        if not one.frame:
            picture = self._reader.decode(part10)
            return picture, (self._reader.shown if is_shown else self._unseen)(instance, part10, picture)
        if self._frame is None or self._header is None:
            self._frame = self._reader.open_frames(part10)
            self._header = self._reader.unseen(instance, part10)
        picture = self._frame(one.frame)
        source = replace(self._header, frame=one.frame)
        if not is_shown:
            return picture, source
        hw8 = picture.display_hw8(picture.reduction)
        return picture, replace(source, image_hw=hw8, reduction=float(picture.reduction))

    def _unseen(self, instance: Instance, part10: bytes, _: Picture) -> SourceImage:
        return self._reader.unseen(instance, part10)


def _shot(one: Located, is_shown: bool, step: int, decoder: _Decoder, unused: list[Unused]) -> _Shot | None:
    try:
        part10 = decoder.hold(one.stored)
    except Permanent as exc:
        unused.append(Unused(one.stored, str(exc)))
        return None
    try:
        picture, source = decoder.source(one, is_shown)
    except Rejected as exc:
        unused.append(Unused(one.stored, str(exc), part10))
        return None
    intensity = np.float32(one.slice.slope) * _reduced(picture.image_hw, step) + np.float32(one.slice.intercept)
    return _Shot(-intensity if picture.inverted else intensity, source)


def _reduced(image_hw: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Average blocks of step x step pixels; what is left over at the right and bottom edge is dropped."""
    height, width = image_hw.shape[0] // step, image_hw.shape[1] // step
    blocks = image_hw[: height * step, : width * step].reshape(height, step, width, step)
    return np.asarray(blocks.mean((1, 3), dtype=np.float32))


def _views(volume: _Volume, side: Side, settings: Mapping[str, Any]) -> tuple[View, ...]:
    lies = volume.positions[0][0].slice
    volume_pshw = np.stack([[shot.reduced_hw for shot in shots] for shots in volume.shots], axis=1)
    tensor_schw, placement = prepare(
        volume_pshw,
        pixel_mm=(lies.pixel_mm[0] * volume.step, lies.pixel_mm[1] * volume.step),
        side=side.value,
        columns_to_left=lies.columns_to_left,
        rows_to_back=lies.rows_to_back,
        **settings,
    )
    whole = enlarged(placement, volume.step, (lies.rows, lies.columns))
    return tuple(
        View(shots[1].source, tensor_chw, whole, (shots[0].source, *(shot.source for shot in shots[2:])))
        for shots, tensor_chw in zip(volume.shots, tensor_schw, strict=True)
    )


def enlarged(placement: Placement, step: int, shape: tuple[int, int]) -> Placement:
    """Say of a reduced image's placement where the image itself lies.

    What reducing drops lies at the right and bottom edge, and after mirroring at the left and top one.
    """
    rest = [size - reduced * step for size, reduced in zip(shape, placement.source_shape, strict=True)]
    crop = placement.crop
    top = crop.top * step + (rest[0] if placement.upended else 0)
    left = crop.left * step + (rest[1] if placement.flipped else 0)
    return replace(placement, source_shape=shape, crop=Box(top, left, crop.height * step, crop.width * step))
