"""B-mode ultrasound of a synthetic patient: the tumour in its breast, and the node in its axilla.

Everything is drawn in millimetres on a field of 50 x 50 mm below a linear transducer: echogenicity of layered tissue,
what the latents add, then speckle and gain. Gain, layers and speckle say nothing of the outcome.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.phantom.lesions import Spot
from models.phantom.patient import Patient, size_mm
from models.phantom.texture import Canvas, Floats, canvas, field, inside, ridge, smoothstep, wave

TARGETS: Final = ("tumour", "node")
ROWS, COLUMNS = 500, 500
FIELD_MM: Final = 50.0
LARGEST_MM: Final = 44.0  # no mass is shown wider
CORTEX_GREY, MASS_GREY = 46.0, 40.0
SPECKLE_MM: Final = (0.55, 0.8)  # depth, across


@dataclass(frozen=True, slots=True)
class Bean:
    """A node: half axes of its hilum, its cortex all round, tilt and bend."""

    along_mm: float
    across_mm: float
    cortex_mm: float
    tilt: float  # radians
    bend: float


def spot(patient: Patient, side: str, target: str) -> Spot:
    """Where the mass of a diseased side, or a side's node, lies: in mm from the field's top left corner."""
    rng = patient.random("ultrasound spot", side, target)
    x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
    if target == "node":
        bean = node_shape(patient, side)
        return Spot(25 + 4 * x, 22 + 3 * y, bean.along_mm + bean.cortex_mm)
    radius = mass_width_mm(patient.axillae[side].ultrasound_size) / 2
    return Spot(25 + min(7.0, 24 - radius) * x, 15 + 2.5 * y + 0.3 * radius, radius)


def mass_width_mm(ultrasound_size: float) -> float:
    """Width of the mass on the image: the measured size, drawn in where it would leave the field."""
    size, bound = size_mm(ultrasound_size), 30.0
    room = LARGEST_MM - bound
    return size if size < bound else bound + room * math.tanh((size - bound) / room)


def cortex_mm(cortex: float) -> float:
    """Thickness of a node's cortex, 1.5 to 8 mm."""
    return float(np.clip(3.4 * math.exp(0.36 * cortex), 1.5, 8.0))


def hilum_contrast(hilum: float) -> float:
    """How much of a calm node's hilar brightness is left; in [0.1, 1.05]."""
    return float(np.clip(0.58 - 0.2 * hilum, 0.1, 1.05))


def node_shape(patient: Patient, side: str) -> Bean:
    """Shape of a side's node."""
    rng = patient.random("node shape", side)
    along, across, tilt, bend = rng.uniform(5.0, 6.5), rng.uniform(2.0, 2.8), rng.normal(0, 0.14), rng.uniform(0.1, 0.3)
    return Bean(along, across, cortex_mm(patient.node(side).cortex), tilt, bend)


def render(patient: Patient, side: str, target: str, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """Render the field of view, transducer at the top.

    Returns
    -------
    uint8 (rows, columns)
        Grey values of FIELD_MM x FIELD_MM. Other sizes than the default show the same scene.
    """
    rng = patient.random("ultrasound", side, target)
    on = canvas(rows, columns, FIELD_MM, FIELD_MM)
    if target == "node":
        grey = _axilla(rng, on)
        _add_node(grey, on, patient, side, rng)
    else:
        grey = _breast(rng, on)
        if side in patient.axillae:
            _add_mass(grey, on, patient, side, rng)
    grey += _speckle(rng, on) * (6 + 0.09 * grey)
    grey *= 1 + np.float32(rng.normal(0, 0.14)) * (on.y_mm / 25 - 1)
    grey = 95 + (grey - 95) * np.float32(rng.uniform(0.85, 1.15)) + np.float32(rng.normal(0, 10))
    return np.clip(grey, 0, 255).astype(np.uint8)


def mask(patient: Patient, side: str, target: str, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.bool_]:
    """Pixels (rows, columns) of the mass, or of the whole node; none for the mass of a healthy side."""
    on = canvas(rows, columns, FIELD_MM, FIELD_MM)
    if target == "node":
        return _node_depths(on, patient, side)[0] > 0
    if side not in patient.axillae:
        return np.zeros(on.shape, np.bool_)
    return _mass_depth(on, patient, side) > 0


def _layers(on: Canvas, tops_and_greys: list[tuple[Floats | float, float]]) -> Floats:
    """Stack tissues from the skin down, each from its top in mm on."""
    grey = np.full(on.shape, tops_and_greys[0][1], np.float32)
    above = tops_and_greys[0][1]
    for top, here in tops_and_greys[1:]:
        grey += np.float32(here - above) * smoothstep((on.y_mm - top) / np.float32(1.0) + np.float32(0.5))
        above = here
    return grey


def _breast(rng: np.random.Generator, on: Canvas) -> Floats:
    """Skin, fat with Cooper's ligaments, glandular tissue, fascia, muscle, pleura."""
    gland = rng.uniform(5.5, 11.0) + 1.2 * wave(rng, on, 13.0)
    behind = rng.uniform(22, 30) + 1.1 * wave(rng, on, 16.0)
    fascia = behind + rng.uniform(2.5, 5.0) + 0.5 * wave(rng, on, 25.0)
    pleura = fascia + rng.uniform(6, 13) + 0.8 * wave(rng, on, 18.0)
    fat, bright = rng.uniform(70, 98), rng.uniform(112, 150)
    grey = _layers(on, [(0.0, 175.0), (1.8, fat), (gland, bright), (behind, fat), (fascia, 70.0), (pleura, 30.0)])
    in_gland = inside(on.y_mm - gland, 0.6) * inside(behind - on.y_mm, 0.6)
    in_fat = inside(gland - on.y_mm, 0.6) * inside(on.y_mm - 2, 0.3)
    in_muscle = inside(on.y_mm - fascia, 0.5) * inside(pleura - on.y_mm, 0.5)
    lobules = smoothstep(field(rng, on, 3.5, 7.0) - 0.4)
    grey += in_gland * (11 * field(rng, on, 2.0, 5.0) - 34 * lobules)
    grey += 46 * in_fat * ridge(field(rng, on, 9.0, 12.0), 0.13)
    grey += 20 * in_muscle * field(rng, on, 0.9, 11.0)
    grey *= 1 - np.float32(rng.uniform(0, 0.9)) * smoothstep((on.y_mm - pleura) / 10)
    shine = 1 + 0.25 * wave(rng, on, 8.0)
    grey += 85 * shine * ridge(on.y_mm - fascia, 0.6) + 120 * shine * ridge(on.y_mm - pleura, 0.7)
    grey += 45 * shine * ridge(on.y_mm - gland, 0.4)
    return grey


def _axilla(rng: np.random.Generator, on: Canvas) -> Floats:
    """Skin, fat with strands, the edge of the pectoral muscle, deep muscle, a vessel."""
    deep, bone = rng.uniform(34, 41) + 1.2 * wave(rng, on, 18.0), rng.uniform(4, 14)
    grey = _layers(on, [(0.0, 175.0), (1.8, rng.uniform(84, 112)), (deep, rng.uniform(54, 82)), (deep + bone, 30.0)])
    grey *= 1 - np.float32(rng.uniform(0, 0.9)) * smoothstep((on.y_mm - deep - bone) / 6)
    in_fat = inside(on.y_mm - 2, 0.3) * inside(deep - on.y_mm, 0.5)
    grey += in_fat * (8 * field(rng, on, 3.0, 6.0) + 38 * ridge(field(rng, on, 8.0, 15.0), 0.16))
    edge = on.x_mm if rng.random() < 0.5 else FIELD_MM - on.x_mm
    top, reach = rng.uniform(5, 7), rng.uniform(16, 24)
    wedge = np.clip(1 - edge / np.float32(reach), 0, 1)
    from_top, to_bottom = on.y_mm - top, top + 9 * wedge - on.y_mm
    muscle = inside(from_top, 0.4) * inside(to_bottom, 0.4) * (wedge > 0)
    fibres = field(rng, on, 0.9, 11.0)
    grey += muscle * (66 + 18 * fibres - grey) + 20 * inside(on.y_mm - deep, 0.5) * fibres
    grey += 80 * (1 + 0.25 * wave(rng, on, 8.0)) * ridge(on.y_mm - deep, 0.6)
    grey += 60 * (wedge > 0) * (ridge(from_top, 0.4) + ridge(to_bottom, 0.4))
    vessel = Spot(rng.uniform(8, 42), float(deep.mean()) - rng.uniform(3.5, 5), rng.uniform(1.6, 2.6))
    depth = vessel.radius_mm - np.hypot((on.x_mm - vessel.x_mm) * np.float32(0.7), on.y_mm - vessel.y_mm)
    grey += inside(depth, 0.25) * (12 - grey) + 60 * ridge(depth + 0.4, 0.4)
    return grey


def _mass_depth(on: Canvas, patient: Patient, side: str) -> Floats:
    """How far inside the mass's margin a pixel lies, in mm."""
    rng, at = patient.random("mass shape", side), spot(patient, side, "tumour")
    lobes, phases, height = rng.normal(0, 0.035, 6), rng.uniform(0, 2 * np.pi, 6), 0.64 * rng.uniform(0.95, 1.05)
    dx, dy = on.x_mm - np.float32(at.x_mm), (on.y_mm - np.float32(at.y_mm)) / np.float32(height)
    angle = np.arctan2(dy, dx)
    edge = sum(a * np.cos((k + 3) * angle + b) for k, (a, b) in enumerate(zip(lobes, phases, strict=True)))
    return (at.radius_mm * (1 + edge) - np.hypot(dx, dy)).astype(np.float32)


def _add_mass(grey: Floats, on: Canvas, patient: Patient, side: str, rng: np.random.Generator) -> None:
    """Draw a dark, lobed mass with a bright margin and the shadow behind it."""
    at, depth = spot(patient, side, "tumour"), _mass_depth(on, patient, side)
    body = inside(depth, 0.35)
    column = inside(0.85 * at.radius_mm - np.abs(on.x_mm - np.float32(at.x_mm)), 0.8)
    below = smoothstep((on.y_mm - np.float32(at.y_mm)) / np.float32(0.64 * at.radius_mm + 2))
    grey *= 1 - np.float32(rng.uniform(0.25, 0.5)) * column * below
    grey += 34 * ridge(depth + 0.9, 0.8) * smoothstep((at.y_mm + 4 - on.y_mm) / 6)
    grey += body * (MASS_GREY + 7 * field(rng, on, 2.2) - grey)


def _node_depths(on: Canvas, patient: Patient, side: str) -> tuple[Floats, Floats]:
    """How far inside a node's capsule, and inside its hilum, a pixel lies, in mm."""
    bean, at = node_shape(patient, side), spot(patient, side, "node")
    dx, dy = on.x_mm - np.float32(at.x_mm), on.y_mm - np.float32(at.y_mm)
    along = dx * np.float32(math.cos(bean.tilt)) + dy * np.float32(math.sin(bean.tilt))
    across = dy * np.float32(math.cos(bean.tilt)) - dx * np.float32(math.sin(bean.tilt))
    across = across + np.float32(bean.bend / (bean.along_mm + bean.cortex_mm)) * (along**2)
    flat = np.float32(bean.along_mm - bean.across_mm)  # the hilum is a stadium, so its cortex is as thick all round
    away = np.hypot(np.maximum(np.abs(along) - flat, 0), across)
    return (bean.across_mm + bean.cortex_mm - away).astype(np.float32), (bean.across_mm - away).astype(np.float32)


def _add_node(grey: Floats, on: Canvas, patient: Patient, side: str, rng: np.random.Generator) -> None:
    """Draw a bean: dark cortex, bright hilum as far as it is left, thin bright capsule."""
    capsule, hilum = _node_depths(on, patient, side)
    left = hilum_contrast(patient.node(side).hilum)
    grey += inside(capsule, 0.25) * (CORTEX_GREY + 4 * field(rng, on, 2.5) - grey)
    grey += inside(hilum, 0.3) * (100 * left + 6 * field(rng, on, 1.5))
    grey += 32 * ridge(capsule + 0.3, 0.35)


def _speckle(rng: np.random.Generator, on: Canvas) -> Floats:
    """Logarithm of Rayleigh noise, as log compression shows it; about zero mean and unit deviation."""
    cells = (round(FIELD_MM / SPECKLE_MM[0]), round(FIELD_MM / SPECKLE_MM[1]))
    grains = np.log(np.hypot(*rng.standard_normal((2, *cells)))).astype(np.float32)
    grains = np.clip((grains - np.float32(0.058)) / np.float32(0.64), -2.8, 2.5)
    return np.asarray(Image.fromarray(grains).resize(on.shape[::-1], Image.Resampling.BICUBIC))
