"""Dynamic contrast-enhanced MR of a synthetic patient: both breasts, before contrast and three times after.

T1-weighted axial slices of 320 x 200 mm, drawn in millimetres with the breasts up and the patient's left at the right.
Tissues take up contrast; a mass does so as its latents say. Glands, vessels and heart do so too, whatever the outcome.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.phantom.latents import Axilla
from models.phantom.lesions import Spot, around
from models.phantom.patient import Patient, size_mm
from models.phantom.texture import Canvas, Floats, canvas, field, inside, ridge, smoothstep

PHASES, SLICES = 4, 8
ROWS, COLUMNS = 240, 384
FIELD_WIDTH_MM, FIELD_HEIGHT_MM, SLICE_MM = 320.0, 200.0, 5.0
MIDDLE_MM: Final = FIELD_WIDTH_MM / 2
APART_MM: Final = 72.0  # of a breast from the midline
CHEST: Final = (218.0, 152.0, 112.0)  # ellipse of the thorax: its centre down, half its width, half its depth
BREAST_MM: Final = 116.0  # how far down a breast is widest
COMPARTMENTS: Final = {  # that take up contrast whatever the outcome: the least and most in the first phase
    "glands": (0.05, 0.30),
    "skin": (0.0, 0.4),
    "muscle": (0.02, 0.25),
    "ribs": (0.0, 0.3),
    "heart": (0.6, 1.8),
    "liver": (0.3, 1.2),
}
FAT_SIGNAL, MASS_SIGNAL = 620.0, 420.0
# what keeps a slice's mean and deviation from telling how much a mass takes up (deviations, as shares):
UNSTEADY: Final = 0.45  # of a compartment's uptake between slices and phases: pulsation, flow, breathing
SLAB: Final = 0.04  # of a slice's signal: the profile of the excited slab


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


def mass_curve(axilla: Axilla) -> tuple[float, ...]:
    """Enhancement of a mass in each phase, of its signal before contrast."""
    early, slope = uptake_share(axilla.uptake), late_slope(axilla.washout)
    return 0.0, *(early * (1 + slope * t) for t in np.linspace(0, 1, PHASES - 1).tolist())


def mass_spot(patient: Patient, side: str) -> tuple[float, Spot]:
    """Where the mass of a diseased side lies: slice index (whole at a slice's middle), and Spot in the axial field."""
    rng = patient.random("mr mass", side)
    away, x, y = 1 if side == "L" else -1, rng.uniform(-14, 14), rng.uniform(68, 88)
    position = float(rng.integers(2, 6)) + rng.uniform(-0.2, 0.2)
    return position, Spot(MIDDLE_MM + away * APART_MM + x, y, size_mm(patient.axillae[side].size) / 2)


def volume(patient: Patient, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Render all phases of all slices: uint16 (PHASES, SLICES, rows, columns)."""
    scene = _scene(patient, rows, columns)
    return np.stack([_slice(scene, z) for z in range(SLICES)], axis=1)


def render(
    patient: Patient, phase: int, slice_index: int, rows: int = ROWS, columns: int = COLUMNS
) -> NDArray[np.uint16]:
    """Render one phase of one slice: uint16 (rows, columns), the same as in `volume`."""
    return _slice(_scene(patient, rows, columns), slice_index)[phase]


@dataclass(frozen=True)
class Scene:
    """What all slices of a patient have in common; arrays in mm or as shares, of a slice's shape."""

    patient: Patient
    on: Canvas
    beside: Floats  # (1, columns): mm from the midline
    chest: Floats  # mm below the surface of the thorax
    deep: Floats  # (2, rows, columns): heart and liver, as shares
    mammary: Floats  # internal mammary vessels
    coil: Floats  # sensitivity
    clouds: Floats  # (4, rows, columns): glandular tissue at four levels from the lowest slice to the highest
    vessels: tuple[Vessel, ...]
    curves: Floats  # (PHASES - 1, 6): enhancement of COMPARTMENTS in each phase after contrast
    blood: tuple[float, ...]  # enhancement of vessels in each phase after contrast


def _scene(patient: Patient, rows: int, columns: int) -> Scene:
    on, rng = canvas(rows, columns, FIELD_HEIGHT_MM, FIELD_WIDTH_MM), patient.random("mr")
    beside = np.abs(on.x_mm - np.float32(MIDDLE_MM))
    level, wide, high = CHEST
    chest = (1 - np.hypot(beside / np.float32(wide), (on.y_mm - np.float32(level)) / np.float32(high))) * np.float32(
        high
    )
    heart = _deep(rng, on, MIDDLE_MM + rng.uniform(16, 30))
    return Scene(
        patient=patient,
        on=on,
        beside=beside,
        chest=chest,
        deep=np.stack([heart, _deep(rng, on, MIDDLE_MM - rng.uniform(58, 74)) * (1 - heart)]),
        mammary=ridge(np.hypot(beside - 17, on.y_mm - np.float32(level - high + 17)), 2.2),
        coil=np.float32(rng.uniform(0.8, 1.25)) * (1 + np.float32(0.06) * field(rng, on, 110.0)),
        clouds=np.stack([field(rng, on, 18.0) for _ in range(4)]),
        vessels=tuple(_vessel(rng, away) for away in (-1, 1) for _ in range(int(rng.integers(2, 6)))),
        curves=np.array([_curve(rng, *bounds) for bounds in COMPARTMENTS.values()], np.float32).T,
        blood=_curve(rng, 0.9, 1.7),
    )


def _curve(rng: np.random.Generator, low: float, high: float) -> tuple[float, ...]:
    """Enhancement in each phase after contrast of tissue that says nothing of the outcome."""
    early, slope, bend = rng.uniform(low, high), rng.uniform(-0.3, 0.5), rng.uniform(-0.15, 0.15)
    return tuple(early * (1 + slope * t + 4 * bend * t * (1 - t)) for t in np.linspace(0, 1, PHASES - 1).tolist())


def _deep(rng: np.random.Generator, on: Canvas, x_mm: float) -> Floats:
    """A large round organ behind the chest wall."""
    top, radius = rng.uniform(132, 156), rng.uniform(34, 46)
    away = np.hypot((on.x_mm - np.float32(x_mm)) / np.float32(1.25), on.y_mm - np.float32(top + radius))
    return inside(radius - away, 1.5).astype(np.float32)


def _vessel(rng: np.random.Generator, away: int) -> Vessel:
    centre, half = MIDDLE_MM + away * (APART_MM + rng.uniform(-25, 25)), rng.uniform(8, 20)
    return Vessel(
        slice=rng.uniform(0, SLICES - 1),
        left=centre - half,
        right=centre + half,
        level=rng.uniform(62, 108),
        bow=rng.uniform(3, 9),
        pitch=rng.uniform(6, 14),
        radius_mm=rng.uniform(1.0, 1.7),
    )


def _slice(scene: Scene, z: int) -> NDArray[np.uint16]:
    """All phases of a slice (PHASES, rows, columns)."""
    rng, on = scene.patient.random("mr slice", str(z)), scene.on
    signal, takes_up = _tissues(scene, z, rng)
    vessels = _vessels(scene, z)
    signal += vessels * (260 - signal)
    curves = scene.curves * (1 + np.float32(UNSTEADY) * rng.standard_normal(scene.curves.shape, np.float32))
    gains = (curves @ takes_up.reshape(len(takes_up), -1)).reshape(-1, *on.shape)
    gains += vessels * (np.array(scene.blood, np.float32)[:, None, None] - gains)
    for side, axilla in scene.patient.axillae.items():
        (rows, columns), body = _mass(on, scene.patient, side, z)
        inner = signal[rows, columns]
        inner += body * (np.float32(MASS_SIGNAL * (1 + 0.04 * rng.standard_normal())) - inner)
        uptake = np.array(mass_curve(axilla), np.float32)[1:, None, None]
        gains[:, rows, columns] += body * (uptake - gains[:, rows, columns])
    signal *= scene.coil * np.float32(1 + SLAB * rng.standard_normal())
    noise = np.float32(9 * (FIELD_HEIGHT_MM / ROWS / on.pixel_mm))
    made = rng.standard_normal((PHASES, *on.shape), np.float32) * noise + signal
    made[1:] += gains * signal
    return np.clip(np.abs(made), 0, 4095).astype(np.uint16)


def _depth(scene: Scene, z: int) -> Floats:
    """How far below the skin a pixel lies, in mm; negative in air."""
    on, centre = scene.on, (z - (SLICES - 1) / 2) * SLICE_MM
    shrunk = scene.patient.anatomy.scale * math.sqrt(1 - (centre / 75) ** 2)
    wide, high = 57 * shrunk, 80 * shrunk
    across, level = np.abs(scene.beside - np.float32(APART_MM)), np.float32(BREAST_MM)
    down = on.y_mm - level
    tall = np.where(down < 0, down / np.float32(high), down / np.float32(32))
    breast = (1 - np.sqrt((across / np.float32(wide)) ** 2.3 + np.abs(tall) ** 2.3)) * np.float32(0.87 * wide)
    nipple = np.float32(4.5) - np.hypot(across, down + np.float32(high))
    return _joined(scene.chest, np.maximum(breast, nipple), 14.0)


def _joined(one: Floats, other: Floats, fold_mm: float) -> Floats:
    """The greater of two depths, rounded where two surfaces meet (a polynomial smooth maximum)."""
    near = np.clip(1 - np.abs(one - other) / np.float32(fold_mm), 0, 1)
    return np.maximum(one, other) + near * near * np.float32(fold_mm / 4)


def _tissues(scene: Scene, z: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Signal before contrast, and the share of each of COMPARTMENTS that takes up contrast."""
    on, wall, beside, depth = scene.on, scene.chest, scene.beside, _depth(scene, z)
    body = inside(depth, 0.6)
    signal = body * (FAT_SIGNAL + 20 * field(rng, on, 12.0))
    glands = _glands(scene, z, rng) * inside(np.minimum(depth - 6, -wall - 4), 1.5)
    signal += glands * (385 + 25 * field(rng, on, 5.0) - signal)
    skin = body * inside(2.0 - depth, 0.5)
    signal += np.float32(0.75) * skin * (360 - signal)
    muscle = inside(np.minimum(np.minimum(wall - 3, 15 - wall), beside - 8), 0.9)
    signal += muscle * (310 + 35 * field(rng, on, 3.0, 14.0) - signal)
    ribs = smoothstep(np.sin(beside / 11 + np.float32(0.9 * z)) * 2.5) * inside(np.minimum(wall - 15, 24 - wall), 0.8)
    signal += np.float32(0.7) * ribs * (140 - signal)
    lungs = inside(np.minimum(wall - 25, beside - (26 + np.float32(0.25) * wall)), 1.5)
    signal += lungs * (45 + 30 * smoothstep(field(rng, on, 5.0) - 0.8) - signal)
    signal += scene.deep.sum(0) * (300 - signal)
    others = 1 - scene.deep.sum(0)
    return signal, np.stack([glands, skin, muscle * others, ribs * others, *scene.deep])


def _glands(scene: Scene, z: int, rng: np.random.Generator) -> Floats:
    """Fibroglandular tissue behind both nipples, more of it the denser the breast."""
    anatomy = scene.patient.anatomy
    side = (scene.beside - np.float32(APART_MM)) / np.float32(36 * anatomy.scale)
    away = side**2 + ((scene.on.y_mm - 80) / np.float32(34 * anatomy.scale)) ** 2
    above, share = divmod(z / (SLICES - 1) * 2.99, 1)
    clouds = (1 - share) * scene.clouds[int(above)] + share * scene.clouds[int(above) + 1]
    clouds = clouds / np.float32(math.hypot(1 - share, share)) + np.float32(0.5) * field(rng, scene.on, 6.0)
    return np.exp(-away * np.sqrt(away) / 1.1) * smoothstep((clouds + 0.7 * math.tanh(anatomy.density) + 0.4) / 1.6)


def _vessels(scene: Scene, z: int) -> Floats:
    """Vessels: the internal mammary ones beside the breastbone, and some in each breast."""
    found = scene.mammary.copy()
    for vessel in scene.vessels:
        near = math.exp(-(((z - vessel.slice) / 0.9) ** 2))
        if near > 0.02:
            _add_tube(found, scene.on, vessel, near)
    return found


def _add_tube(found: Floats, on: Canvas, vessel: Vessel, near: float) -> None:
    centre = Spot((vessel.left + vessel.right) / 2, vessel.level, 0.0)
    part, _, dy = around(on, centre, (vessel.right - vessel.left) / 2 + 5)
    x = on.x_mm[:, part[1]]
    turn = x / np.float32(vessel.pitch)
    steep = np.sqrt(1 + (np.float32(vessel.bow / vessel.pitch) * np.cos(turn)) ** 2)
    ends = inside(np.minimum(x - vessel.left, vessel.right - x), 2.0)
    line = ridge((dy - np.float32(vessel.bow) * np.sin(turn)) / steep, vessel.radius_mm)
    found[part] = np.maximum(found[part], np.float32(near) * ends * line)


def _mass(on: Canvas, patient: Patient, side: str, z: int) -> tuple[tuple[slice, slice], Floats]:
    """The part of a slice that the mass of a side reaches, and the share of each pixel there that it fills."""
    position, at = mass_spot(patient, side)
    rng = patient.random("mr mass shape", side)
    lobes, phases = rng.normal(0, 0.03, 4), rng.uniform(0, 2 * np.pi, 4)
    part, dx, dy = around(on, at, 1.3 * at.radius_mm + 4)
    angle = np.arctan2(dy, dx)
    edge = 1 + sum(a * np.cos((k + 2) * angle + b) for k, (a, b) in enumerate(zip(lobes, phases, strict=True)))
    away = np.sqrt(dx**2 + dy**2 + np.float32(((z - position) * SLICE_MM) ** 2))
    return part, inside(at.radius_mm * edge - away, 0.5).astype(np.float32)
