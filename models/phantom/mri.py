"""Dynamic contrast-enhanced MR of a synthetic patient: both breasts, before contrast and three times after.

T1-weighted axial slices of 320 x 200 mm, drawn in millimetres with the breasts up and the patient's left at the right.
Tissues take up contrast; a mass does so as its latents say. Glands, vessels and heart do so too, whatever the outcome.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.phantom.lesions import Spot
from models.phantom.patient import Anatomy, Patient, size_mm
from models.phantom.texture import Canvas, Floats, canvas, field, inside, ridge, smoothstep

PHASES, SLICES = 4, 8
ROWS, COLUMNS = 240, 384
FIELD_WIDTH_MM, FIELD_HEIGHT_MM, SLICE_MM = 320.0, 200.0, 5.0
MIDDLE_MM: Final = FIELD_WIDTH_MM / 2
APART_MM: Final = 72.0  # of a breast from the midline
CHEST: Final = (218.0, 152.0, 112.0)  # ellipse of the thorax: its centre down, half its width, half its depth
MASS_SIGNAL: Final = 470.0
CURVE: Final = (0.0, 1.0, 1.0, 1.0)  # enhancement by phase, before the slope after the first one


@dataclass(frozen=True, slots=True)
class Vessel:
    """A vessel in the plane: y = level + bow * sin(x / pitch), between two x, on one slice and its neighbours."""

    slice: float
    left: float
    right: float
    level: float
    bow: float
    pitch: float
    radius_mm: float


def uptake_share(uptake: float) -> float:
    """Enhancement of a mass in the first phase after contrast, of its signal before; 0.4 to 1.6."""
    return float(np.clip(1.0 + 0.24 * uptake, 0.4, 1.6))


def late_slope(washout: float) -> float:
    """Change of a mass's enhancement from the first phase after contrast to the last; +0.3 (persists) to -0.3."""
    return float(np.clip(-0.12 * washout, -0.3, 0.3))


def mass_spot(patient: Patient, side: str) -> tuple[float, Spot]:
    """Where the mass of a diseased side lies: slice index (from 0, whole at a slice's middle), and Spot in the slice."""
    rng = patient.random("mr mass", side)
    away, x, y = 1 if side == "L" else -1, rng.uniform(-14, 14), rng.uniform(68, 88)
    position = float(rng.integers(3, 5)) + rng.uniform(-0.2, 0.2)
    return position, Spot(MIDDLE_MM + away * APART_MM + x, y, size_mm(patient.axillae[side].size) / 2)


def volume(patient: Patient, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Render all phases of all slices: uint16 (PHASES, SLICES, rows, columns)."""
    return np.stack([_slice(patient, z, rows, columns) for z in range(SLICES)], axis=1)


def render(
    patient: Patient, phase: int, slice_index: int, rows: int = ROWS, columns: int = COLUMNS
) -> NDArray[np.uint16]:
    """Render one phase of one slice: uint16 (rows, columns), the same as in `volume`."""
    return _slice(patient, slice_index, rows, columns)[phase]


def _slice(patient: Patient, z: int, rows: int, columns: int) -> NDArray[np.uint16]:
    """All phases of a slice (PHASES, rows, columns)."""
    rng, on = patient.random("mr slice", str(z)), canvas(rows, columns, FIELD_HEIGHT_MM, FIELD_WIDTH_MM)
    common = patient.random("mr")
    depth = _depth(on, patient.anatomy, z)
    signal, gland = _tissues(common, rng, on, depth, patient.anatomy, z)
    early, slope = gland * np.float32(common.uniform(0.1, 0.4)), np.full((1, 1), common.uniform(0.1, 0.5), np.float32)
    blood, fading = common.uniform(1.0, 1.6), np.float32(common.uniform(-0.3, 0.1))
    vessels = _vessels(common, on, z, depth)
    signal += vessels * (300 - signal)
    early = early * (1 - vessels) + vessels * np.float32(blood)
    slope = slope * (1 - vessels) + vessels * fading
    for side, axilla in patient.axillae.items():
        body = _mass(on, patient, side, z)
        signal += body * (MASS_SIGNAL * (1 + 0.06 * field(rng, on, 4.0)) - signal)
        early = early * (1 - body) + body * np.float32(uptake_share(axilla.uptake))
        slope = slope * (1 - body) + body * np.float32(late_slope(axilla.washout))
    coil = 1 + 0.06 * field(common, on, 110.0)
    shares = [CURVE[p] * (1 + slope * np.float32(max(p - 1, 0) / (PHASES - 2))) for p in range(PHASES)]
    noise = np.float32(11 * (FIELD_HEIGHT_MM / ROWS / on.pixel_mm))
    made = [coil * signal * (1 + early * s) + noise * rng.standard_normal(on.shape, np.float32) for s in shares]
    return np.clip(np.abs(np.stack(made)), 0, 4095).astype(np.uint16)


def _depth(on: Canvas, anatomy: Anatomy, z: int) -> Floats:
    """How far below the skin a pixel lies, in mm; negative in air."""
    chest, centre = _chest_depth(on), (z - (SLICES - 1) / 2) * SLICE_MM
    shrunk = anatomy.scale * math.sqrt(1 - (centre / 75) ** 2)
    wide, high = 57 * shrunk, 80 * shrunk
    across = np.abs(np.abs(on.x_mm - np.float32(MIDDLE_MM)) - np.float32(APART_MM)) / np.float32(wide)
    up = np.clip(120 - on.y_mm, 0, None) / np.float32(high)
    radius = (across**2.2 + up**2.2) ** np.float32(1 / 2.2)
    breast = np.where(on.y_mm < 135, (1 - radius) * np.float32(wide), np.float32(-99))
    nipple = 4.5 - np.hypot(across * np.float32(wide), on.y_mm - np.float32(120 - high))
    sharp = np.float32(6.0)  # of the fold where breast and chest meet
    joined = sharp * np.logaddexp(chest / sharp, np.maximum(breast, nipple) / sharp)
    return joined.astype(np.float32)


def _chest_depth(on: Canvas) -> Floats:
    level, wide, high = CHEST
    radius = np.hypot((on.x_mm - np.float32(MIDDLE_MM)) / np.float32(wide), (on.y_mm - np.float32(level)) / high)
    return ((1 - radius) * np.float32(high)).astype(np.float32)


def _tissues(
    common: np.random.Generator, rng: np.random.Generator, on: Canvas, depth: Floats, anatomy: Anatomy, z: int
) -> tuple[Floats, Floats]:
    """Signal before contrast, and the share of what takes contrast up as glands do."""
    body, wall = inside(depth, 0.6), _chest_depth(on)
    signal = body * (850 + 25 * field(rng, on, 12.0))
    glands = _glands(common, rng, on, anatomy, z) * inside(depth - 6, 1.5) * inside(-wall - 4, 1.5)
    signal += glands * (430 + 30 * field(rng, on, 5.0) - signal)
    skin = body * inside(2.0 - depth, 0.5)
    signal += 0.75 * skin * (420 - signal)
    beside = np.abs(on.x_mm - np.float32(MIDDLE_MM))
    muscle = inside(wall - 3, 0.8) * inside(15 - wall, 0.8) * inside(beside - 10, 2.0)
    signal += muscle * (360 + 40 * field(rng, on, 3.0, 14.0) - signal)
    ribs = smoothstep(np.sin(beside / 11 + 0.9 * z) * 2.5) * inside(wall - 15, 0.8) * inside(24 - wall, 0.8)
    signal += 0.7 * ribs * (170 - signal)
    lungs = inside(wall - 25, 1.0) * inside(beside - (26 + 0.25 * wall), 3.0)
    signal += lungs * (55 + 25 * smoothstep(field(rng, on, 5.0) - 0.8) - signal)
    heart = _heart(common, on)
    signal += heart * (330 - signal)
    takes_up = glands + 0.35 * muscle + 0.3 * skin + 3.4 * heart
    return signal.astype(np.float32), takes_up.astype(np.float32)


def _glands(common: np.random.Generator, rng: np.random.Generator, on: Canvas, anatomy: Anatomy, z: int) -> Floats:
    """Fibroglandular tissue behind both nipples, more of it the denser the breast."""
    side = np.abs(np.abs(on.x_mm - np.float32(MIDDLE_MM)) - np.float32(APART_MM)) / np.float32(36 * anatomy.scale)
    place = np.exp(-((side**2 + ((on.y_mm - 82) / np.float32(34 * anatomy.scale)) ** 2) ** 1.5) / 1.1)
    coarse = common.standard_normal((4, 12, 18)).astype(np.float32)
    above, share = divmod(z / (SLICES - 1) * 2.99, 1)
    between = (1 - share) * coarse[int(above)] + share * coarse[int(above) + 1]
    between /= np.float32(math.hypot(1 - share, share))
    clouds = np.asarray(Image.fromarray(between).resize(on.shape[::-1], Image.Resampling.BICUBIC)) * np.float32(1.3)
    clouds = clouds + 0.5 * field(rng, on, 6.0)
    return place * smoothstep((clouds + 0.7 * math.tanh(anatomy.density) + 0.4) / 1.6)


def _heart(common: np.random.Generator, on: Canvas) -> Floats:
    """The heart behind the breastbone, to the patient's left."""
    x, y = MIDDLE_MM + common.uniform(12, 24), common.uniform(188, 204)
    away = np.hypot((on.x_mm - np.float32(x)) / np.float32(1.25), on.y_mm - np.float32(y))
    return inside(common.uniform(34, 44) - away, 1.5)


def _vessels(common: np.random.Generator, on: Canvas, z: int, depth: Floats) -> Floats:
    """Vessels: the internal mammary ones beside the breastbone, and some in each breast."""
    level = CHEST[0] - CHEST[2] + 17
    found = sum(ridge(np.hypot(on.x_mm - np.float32(MIDDLE_MM + x), on.y_mm - np.float32(level)), 2.2) for x in (-17, 17))
    for away in (-1, 1):
        for _ in range(int(common.integers(2, 6))):
            centre, half = MIDDLE_MM + away * (APART_MM + common.uniform(-25, 25)), common.uniform(8, 20)
            vessel = Vessel(
                float(common.uniform(0, SLICES - 1)),
                centre - half,
                centre + half,
                float(common.uniform(62, 108)),
                float(common.uniform(3, 9)),
                float(common.uniform(6, 14)),
                float(common.uniform(1.0, 1.7)),
            )
            found = np.maximum(found, _tube(on, vessel, z))
    return (found * inside(depth - 5, 1.0)).astype(np.float32)


def _tube(on: Canvas, vessel: Vessel, z: int) -> Floats:
    along = vessel.level + vessel.bow * np.sin(on.x_mm / np.float32(vessel.pitch))
    steep = np.sqrt(1 + (vessel.bow / vessel.pitch * np.cos(on.x_mm / np.float32(vessel.pitch))) ** 2)
    ends = inside(on.x_mm - vessel.left, 2.0) * inside(vessel.right - on.x_mm, 2.0)
    near = math.exp(-(((z - vessel.slice) / 0.9) ** 2))
    return np.float32(near) * ends * ridge((on.y_mm - along) / steep, vessel.radius_mm)


def _mass(on: Canvas, patient: Patient, side: str, z: int) -> Floats:
    """Share of each pixel that the mass of a side fills."""
    position, at = mass_spot(patient, side)
    rng = patient.random("mr mass shape", side)
    lobes, phases = rng.normal(0, 0.03, 4), rng.uniform(0, 2 * np.pi, 4)
    dx, dy = on.x_mm - np.float32(at.x_mm), on.y_mm - np.float32(at.y_mm)
    if abs(z - position) * SLICE_MM > at.radius_mm + SLICE_MM:
        return np.zeros(on.shape, np.float32)
    angle = np.arctan2(dy, dx)
    edge = 1 + sum(a * np.cos((k + 2) * angle + b) for k, (a, b) in enumerate(zip(lobes, phases, strict=True)))
    away = np.sqrt(dx**2 + dy**2 + np.float32(((z - position) * SLICE_MM) ** 2))
    return inside(at.radius_mm * edge - away, 0.5)
