"""Four-view mammograms of a synthetic patient: breast, skin, muscle, glandular tissue, and what the latents add.

Everything is drawn in millimetres on a detector of 218 x 174 mm with the chest wall at the left; a right breast is
mirrored last. Texture says nothing of the outcome.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.phantom import lesions
from models.phantom.lesions import Spot
from models.phantom.patient import Anatomy, Patient
from models.phantom.texture import Canvas, Floats, canvas, field, smoothstep, strands

SIDES: Final = ("L", "R")
VIEWS: Final = ("CC", "MLO")
ROWS, COLUMNS = 1280, 1024
FIELD_HEIGHT_MM, FIELD_WIDTH_MM = 217.6, 174.08  # what the detector covers
TOP: Final = 4095


@dataclass(frozen=True, slots=True)
class Outline:
    """Shape of a breast on one view, in mm: nipple level, depth from the chest wall, reach up and down, muscle."""

    level: float
    depth: float
    up: float
    down: float
    muscle_width: float = 0.0  # of the pectoral muscle at the top edge; 0 on CC
    muscle_length: float = 0.0


def outline(anatomy: Anatomy, view: str) -> Outline:
    """Shape of a woman's breast on a view."""
    if view == "CC":
        return Outline(108.0, 112 * anatomy.scale, 82 * anatomy.scale, 82 * anatomy.scale)
    level = 128.0 + 3 * math.tanh(anatomy.droop)
    muscle = 1 + 0.12 * math.tanh(anatomy.muscle)
    return Outline(level, 112 * anatomy.scale, 112 * anatomy.scale, 72 * anatomy.scale, 62 * muscle, 128 * muscle)


def mass_spot(patient: Patient, side: str, view: str) -> Spot:
    """Where the mass of a diseased side lies on a view."""
    rng = patient.random("mass", side)
    deep, cc, mlo = rng.uniform(0.40, 0.62), rng.uniform(-0.38, 0.38), rng.uniform(-0.05, 0.42)
    shape = outline(patient.anatomy, view)
    offset = cc * shape.up if view == "CC" else mlo * shape.down
    radius = lesions.mass_radius_mm(patient.axillae[side])
    return Spot(deep * shape.depth, shape.level + offset, radius)


def node_spot(patient: Patient, side: str) -> Spot:
    """Where the axillary node of a side lies on its MLO view."""
    rng = patient.random("node", side)
    x, y = rng.uniform(16, 30), rng.uniform(24, 44)
    return Spot(x, y, lesions.node_radius_mm(patient.node(side).density))


def render(patient: Patient, side: str, view: str, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Render one view.

    Returns
    -------
    uint16 (rows, columns)
        12-bit pixel values in MONOCHROME2 sense, as displayed: a left breast has its chest wall at the left, a right
        one at the right. Other sizes than the default show the same scene.
    """
    rng = patient.random("view", side, view)
    on, shape = canvas(rows, columns, FIELD_HEIGHT_MM, FIELD_WIDTH_MM), outline(patient.anatomy, view)
    image = _breast(rng, on, shape, patient.anatomy)
    lesions.add_calcifications(image, on, (0.5 * shape.depth, shape.level), rng)
    if view == "MLO":
        lesions.add_node(image, on, node_spot(patient, side), patient.node(side).density, rng)
    if side in patient.axillae:
        spot = mass_spot(patient, side, view)
        lesions.add_mass(image, on, spot, patient.axillae[side].spiculation, rng)
    image += rng.standard_normal(on.shape, np.float32) * np.float32(45 * ROWS / 1280 * (0.17 / on.pixel_mm))
    pixels = np.clip(image, 0, TOP).astype(np.uint16)
    return np.ascontiguousarray(pixels[:, ::-1]) if side == "R" else pixels


def in_pixels(spot: Spot, side: str, rows: int = ROWS, columns: int = COLUMNS) -> tuple[float, float, float]:
    """Row, column and radius of a spot in the pixels of `render`."""
    column = spot.x_mm / FIELD_WIDTH_MM * columns
    return (
        spot.y_mm / FIELD_HEIGHT_MM * rows,
        columns - column if side == "R" else column,
        (spot.radius_mm / FIELD_HEIGHT_MM * rows),
    )


def _breast(rng: np.random.Generator, on: Canvas, shape: Outline, anatomy: Anatomy) -> Floats:
    """Breast, skin, glandular tissue and muscle, before any finding."""
    dy = on.y_mm - np.float32(shape.level)
    reach = np.where(dy < 0, np.float32(shape.up), np.float32(shape.down))
    rim = 1.2 * field(rng, on, 55.0)[:, :1] / shape.depth
    outward = ((on.x_mm / shape.depth) ** 2.3 + np.abs(dy / reach) ** 2.3) ** np.float32(1 / 2.3) + rim
    if shape.muscle_width:
        outward = np.minimum(outward, _tail(on, shape) + 2 * rim)
    nipple = np.exp(-(((on.x_mm - shape.depth) / 5.0) ** 2) - (dy / 5.0) ** 2)
    outward = outward - 0.05 * nipple
    thick = np.sqrt(np.clip(1 - np.clip(1 - (1 - outward) / 0.22, 0, 1) ** 2, 0, 1))
    image = 25 + thick * (780 + 60 * field(rng, on, 22.0) + 40 * field(rng, on, 5.0))
    image += thick * _gland(rng, on, shape, anatomy)
    skin = np.exp(-(((outward - 0.988) / 0.009) ** 2))
    image += 420 * skin
    if shape.muscle_width:
        image = _with_muscle(rng, on, shape, image)
    return image.astype(np.float32)


def _gland(rng: np.random.Generator, on: Canvas, shape: Outline, anatomy: Anatomy) -> Floats:
    """Fibroglandular tissue behind the nipple: cloudy, streaked, more of it the denser the breast."""
    extent = math.exp(0.25 * math.tanh(rng.standard_normal()))
    dy = (on.y_mm - np.float32(shape.level)) / np.float32(0.58 * extent * (shape.up + shape.down) / 2)
    dx = (on.x_mm - np.float32(0.50 * shape.depth)) / np.float32(0.42 * extent * shape.depth)
    place = np.exp(-((dx**2 + dy**2) ** 1.5) / 1.2)
    clouds = 0.9 * field(rng, on, 17.0) + 0.6 * field(rng, on, 7.0) + 0.35 * field(rng, on, 3.0)
    dense = smoothstep((clouds + 1.4 * math.tanh(anatomy.density) + 1.0) / 2.6)
    fibres = strands(rng, (shape.depth, shape.level), on)
    bright = math.exp(0.45 * rng.standard_normal())
    return (place * bright * (dense * 640 + fibres * 210) + 90 * fibres).astype(np.float32)


def _tail(on: Canvas, shape: Outline) -> Floats:
    """How far outward a pixel of the axillary tail lies: the skin's line from the top edge down to the nipple."""
    down = np.clip(on.y_mm / shape.level, 0, 1)
    width = shape.muscle_width + 22
    line = width + (0.97 * shape.depth - width) * (0.35 * down + 0.65 * down**2)
    return np.where(on.y_mm < shape.level, on.x_mm / line, np.float32(9)).astype(np.float32)


def _with_muscle(rng: np.random.Generator, on: Canvas, shape: Outline, image: Floats) -> Floats:
    """Lay the pectoral muscle over the upper corner at the chest wall."""
    bulge = 6 * np.sin(np.pi * np.clip(on.y_mm / shape.muscle_length, 0, 1)) + 1.5 * field(rng, on, 30.0)
    depth_mm = shape.muscle_width * (1 - on.y_mm / shape.muscle_length) + bulge - on.x_mm
    muscle = smoothstep(depth_mm / 4.0 + 0.5)
    fibres = np.sin((on.x_mm + 0.55 * on.y_mm) / 1.7 + 3 * field(rng, on, 25.0)) * 30 + 55 * field(rng, on, 14.0)
    bright = 1190 + 260 * np.clip(depth_mm / 60, 0, 1) + fibres + 25 * field(rng, on, 3.0)
    bright *= 1 + 0.14 * np.float32(rng.standard_normal())
    return image * (1 - 0.6 * muscle) + muscle * (bright - 300)
