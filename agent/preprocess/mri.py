"""Dynamic contrast-enhanced MR of both breasts to the tensor of one of them: anatomy, and what takes up contrast."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Rejected
from agent.preprocess.placement import Box, Floats, Placement, along, check_pixel_mm
from agent.preprocess.resize import resize, run


def choose_phases(count: int, phases: int) -> tuple[int, ...]:
    """Return which of `count` phases in time order a tensor of `phases` phases shows.

    The first (before contrast), the first after it, the last, and evenly spaced ones between; with fewer than
    asked for some are repeated.

    Raises
    ------
    Rejected
        If there are fewer than two phases: nothing shows what takes up contrast.
    """
    if count < 2:
        raise Rejected("fewer than two phases, nothing shows what takes up contrast")
    return 0, *(int(index + 0.5) for index in np.linspace(1, count - 1, phases - 1))


def prepare(
    volume_pshw: NDArray[Any],
    *,
    pixel_mm: tuple[float, float],
    side: str,
    columns_to_left: bool,
    rows_to_back: bool = True,
    height: int,
    width: int,
    tensor_pixel_mm: float,
    phases: int,
    margin_mm: float = 4.0,
    tissue_share: float = 0.1,
    headroom: float = 3.0,
    enhancement_headroom: float = 2.0,
) -> tuple[Floats, Placement]:
    """Crop to one breast, resample to the tensor's scale and turn phases into enhancement.

    Shown is the half of the image that holds the breast, from the midline outwards and from the foremost tissue
    backwards, as far as the tensor reaches; both breasts lie with the midline at the left and the front at the top.
    All slices share one placement. The unit of intensity is the median of the tissue shown, before contrast: neither
    the scanner's gain nor one bright vessel matters.

    Parameters
    ----------
    volume_pshw : array (P, S, H, W)
        P >= 2 phases in time order, the first before contrast; S axial slices; of any real type, one scale for all.
    pixel_mm : tuple[float, float]
        Distance between rows and between columns (Pixel Spacing, PS3.3 10.7.1.3).
    side : {"L", "R"}
        Which breast.
    columns_to_left : bool
        Whether columns count towards the patient's left, as they do in an axial image of a supine patient.
    rows_to_back : bool
        Whether rows count towards the patient's back; they do not in many images taken prone.
    height, width : int
        Size of the tensor.
    tensor_pixel_mm : float
        Size of a pixel of the tensor.
    phases : int
        Phases of the tensor, at least 2; `choose_phases` says which.
    margin_mm : float
        What is kept in front of the foremost tissue.
    tissue_share : float
        Share of the range of intensities, in (0, 1), up to which a pixel counts as air.
    headroom, enhancement_headroom : float
        How many times the tissue's median becomes 1, before contrast and as a gain over it.

    Returns
    -------
    tensor : float32 (S, phases, height, width), in [0, 1]
        Phase 0 is the image before contrast; the others are what was gained over it.
    placement : Placement

    Raises
    ------
    ValueError
        If the volume is not four-dimensional, or `side` is no side.
    Rejected
        If there are fewer than two phases, no slice or no tissue, or `pixel_mm` is no size of a pixel.
    """
    _check(volume_pshw, side)
    chosen = choose_phases(len(volume_pshw), phases)
    check_pixel_mm(*pixel_mm)
    flipped, upended = (side == "R") == columns_to_left, not rows_to_back
    oriented = volume_pshw[:, :, :: -1 if upended else 1, :: -1 if flipped else 1]
    air, tissue = _levels(oriented[0], tissue_share)
    half = oriented[0, :, :, oriented.shape[3] // 2 :]
    foremost = max(0, _foremost(half, tissue, pixel_mm) - round(margin_mm / pixel_mm[0]))
    crop, placed = _boxes(foremost, oriented.shape, pixel_mm, (height, width), tensor_pixel_mm)
    tensor = np.zeros((oriented.shape[1], phases, height, width), np.float32)
    _fill(placed.of(tensor), crop.of(oriented), chosen)
    _normalise(placed.of(tensor), air, tissue, headroom, enhancement_headroom)
    return tensor, Placement((oriented.shape[2], oriented.shape[3]), flipped, crop, (height, width), placed, upended)


def _check(volume_pshw: NDArray[Any], side: str) -> None:
    if volume_pshw.ndim != 4:
        raise ValueError(f"a volume has phases, slices, rows and columns, this one's shape is {volume_pshw.shape}")
    if side not in ("L", "R"):
        raise ValueError("a breast is L or R")
    if min(volume_pshw.shape[1:]) < 1 or min(volume_pshw.shape[2:]) < 2:
        raise Rejected("an MR volume of {} slices of {} x {} pixels".format(*volume_pshw.shape[1:]))


def _levels(before_shw: NDArray[Any], tissue_share: float) -> tuple[float, float]:
    """Intensity of air, and that above which there is tissue."""
    step = max(1, min(before_shw.shape[1:]) // 128)
    air, top = (float(level) for level in np.percentile(before_shw[:, ::step, ::step], (1, 99)))
    if top <= air:
        raise Rejected("the MR shows no tissue")
    return air, air + tissue_share * (top - air)


def _foremost(half_shw: NDArray[Any], tissue: float, pixel_mm: tuple[float, float]) -> int:
    """First row of the body: of the heaviest run of rows in which some slice has more than 10 mm of tissue."""
    step = [max(1, int(2 / size)) for size in pixel_mm]
    seen = half_shw[:, :: step[0], :: step[1]] > tissue
    breadth_mm = seen.sum(2).max(0) * step[1] * pixel_mm[1]
    return run(breadth_mm, 10.0)[0] * step[0]


def _boxes(
    foremost: int, shape: tuple[int, ...], pixel_mm: tuple[float, float], size: tuple[int, int], tensor_pixel_mm: float
) -> tuple[Box, Box]:
    """What is shown of the oriented images, and where in the tensor."""
    rows, columns, midline = shape[2], shape[3], shape[3] // 2
    top, crop_h, to_row, placed_h = along(
        foremost, rows - foremost, size[0], pixel_mm=pixel_mm[0], tensor_pixel_mm=tensor_pixel_mm, anchor=0
    )
    left, crop_w, to_column, placed_w = along(
        midline, columns - midline, size[1], pixel_mm=pixel_mm[1], tensor_pixel_mm=tensor_pixel_mm, anchor=0
    )
    return Box(top, left, crop_h, crop_w), Box(to_row, to_column, placed_h, placed_w)


def _fill(tensor_sphw: Floats, cropped_pshw: NDArray[Any], chosen: tuple[int, ...]) -> None:
    """Resample the chosen phases of every slice; a phase chosen twice is resampled once."""
    height, width = tensor_sphw.shape[2:]
    for index, phase in enumerate(chosen):
        if index and phase == chosen[index - 1]:
            tensor_sphw[:, index] = tensor_sphw[:, index - 1]
            continue
        for slice_, image_hw in zip(tensor_sphw, cropped_pshw[phase], strict=True):
            slice_[index] = resize(image_hw, height, width)


def _normalise(tensor_sphw: Floats, air: float, tissue: float, headroom: float, enhancement_headroom: float) -> None:
    """Put intensities in units of the tissue's median, in place; what enhances is the gain over phase 0."""
    before = tensor_sphw[:, 0].copy()
    shown = before[before > tissue]
    unit = float(np.median(shown)) - air if shown.size else tissue - air
    tensor_sphw[:, 1:] -= before[:, None]
    tensor_sphw[:, 0] -= np.float32(air)
    tensor_sphw[:, 0] /= np.float32(headroom * unit)
    tensor_sphw[:, 1:] /= np.float32(enhancement_headroom * unit)
    np.clip(tensor_sphw, 0, 1, out=tensor_sphw)
