"""A synthetic patient's images as tensors, prepared by the code that serving uses, and where in them findings lie."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.preprocess import mammogram as mammograms
from agent.preprocess import mri as mris
from agent.preprocess import ultrasound as ultrasounds
from agent.preprocess.placement import Placement, to_tensor
from models.fusion.settings import Imaging
from models.phantom import mammogram, mri, ultrasound
from models.phantom.patient import Patient

Floats = NDArray[np.float32]
Place = tuple[float, float, float]  # row, column, radius in the tensor; radius 0: not there
NOWHERE: Final[Place] = (0.0, 0.0, 0.0)
Prepared = tuple[Floats, NDArray[np.float32]]


def prepare(someone: Patient, side: str, imaging: Imaging, render: tuple[int, int] | None = None) -> Prepared:
    """Render and prepare all images of one side.

    Parameters
    ----------
    render : tuple[int, int], optional
        Rows and columns to render; those of training if left out.

    Returns
    -------
    images : float32 (I, C, H, W), in [0, 1]
    places : float32 (I, K, 3)
        Row, column and radius of each finding in each image's tensor; radius 0 where it is not to be seen.
    """
    images, places = PREPARED[imaging.name](someone, side, imaging, render or imaging.render)
    return images, np.asarray(places, np.float32)


def _mammograms(someone: Patient, side: str, imaging: Imaging, render: tuple[int, int]) -> tuple[Floats, Any]:
    """CC and MLO; the node lies on MLO alone."""
    tensors, places = [], []
    for view in mammogram.VIEWS:
        pixels = mammogram.render(someone, side, view, *render)
        tensor, placement = mammograms.prepare(pixels, inverted=False, **imaging.settings)
        spots = [mammogram.mass_spot(someone, side, view)]
        spots += [mammogram.node_spot(someone, side)] if view == "MLO" else []
        found = [in_tensor(placement, *mammogram.in_pixels(spot, side, *render)) for spot in spots]
        tensors.append(tensor[None])
        places.append([*found, NOWHERE][:2])
    return np.stack(tensors), places


def _ultrasounds(someone: Patient, side: str, imaging: Imaging, render: tuple[int, int]) -> tuple[Floats, Any]:
    """Tumour and node, an image each."""
    tensors, places = [], []
    pixel_mm = ultrasound.FIELD_MM / render[0]
    for number, target in enumerate(ultrasound.TARGETS):
        pixels = ultrasound.render(someone, side, target, *render)
        tensor, placement = ultrasounds.prepare(pixels, pixel_mm=pixel_mm, **imaging.settings)
        spot = ultrasound.spot(someone, side, target)
        found = in_tensor(placement, spot.y_mm / pixel_mm, spot.x_mm / pixel_mm, spot.radius_mm / pixel_mm)
        tensors.append(tensor[None])
        places.append([found if k == number else NOWHERE for k in range(2)])
    return np.stack(tensors), places


def _mri(someone: Patient, side: str, imaging: Imaging, render: tuple[int, int]) -> tuple[Floats, Any]:
    """Every slice; the mass lies on those that it reaches."""
    pixel_mm = mri.FIELD_HEIGHT_MM / render[0], mri.FIELD_WIDTH_MM / render[1]
    tensors, placement = mris.prepare(
        mri.volume(someone, *render), pixel_mm=pixel_mm, side=side, columns_to_left=True, **imaging.settings
    )
    index, spot = mri.mass_spot(someone, side)
    places = []
    for number in range(len(tensors)):
        beyond = spot.radius_mm**2 - ((number - index) * mri.SLICE_MM) ** 2
        radius = math.sqrt(max(beyond, 0.0)) / pixel_mm[0]
        row, column = spot.y_mm / pixel_mm[0], spot.x_mm / pixel_mm[1]
        places.append([in_tensor(placement, row, column, radius) if radius else NOWHERE])
    return tensors, places


PREPARED: Final[dict[str, Callable[[Patient, str, Imaging, tuple[int, int]], tuple[Floats, Sequence[Any]]]]] = {
    "MG": _mammograms,
    "US": _ultrasounds,
    "MR": _mri,
}


def in_tensor(placement: Placement, row: float, column: float, radius: float) -> Place:
    """Where a point of the source image, and a length there, come to lie in the tensor."""
    return *to_tensor(placement, row, column), radius * placement.placed.height / placement.crop.height
