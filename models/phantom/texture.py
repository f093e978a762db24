"""Random fields over an image that do not depend on its resolution, so that a small rendering equals a reduced one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Canvas:
    """Pixel centres of an image of a whole field of view, in mm from its top left corner."""

    x_mm: Floats  # (1, columns)
    y_mm: Floats  # (rows, 1)
    height_mm: float
    width_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y_mm.shape[0], self.x_mm.shape[1]

    @property
    def pixel_mm(self) -> float:
        """Height of a pixel."""
        return self.height_mm / self.shape[0]


def canvas(rows: int, columns: int, height_mm: float, width_mm: float) -> Canvas:
    """Lay out an image of a whole field of view."""
    x = (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(width_mm / columns)
    y = (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(height_mm / rows)
    return Canvas(x[None, :], y[:, None], height_mm, width_mm)


def field(rng: np.random.Generator, on: Canvas, grain_mm: float, across_mm: float | None = None) -> Floats:
    """Smooth noise of about unit deviation whose blobs are about `grain_mm` high and `across_mm` wide."""
    cells = (round(on.height_mm / grain_mm) + 1, round(on.width_mm / (across_mm or grain_mm)) + 1)
    coarse = Image.fromarray(rng.standard_normal(cells).astype(np.float32))
    return np.asarray(coarse.resize(on.shape[::-1], Image.Resampling.BICUBIC)) * np.float32(1.35)


def strands(rng: np.random.Generator, towards_mm: tuple[float, float], on: Canvas) -> Floats:
    """Fibres that run together at a point (x, y), as ducts and ligaments do behind the nipple; in [0, 1]."""
    dx, dy = on.x_mm - np.float32(towards_mm[0]), on.y_mm - np.float32(towards_mm[1])
    angle, radius = np.arctan2(dy, -dx), np.hypot(dx, dy)
    table = rng.standard_normal((16, 160)).astype(np.float32)
    row = np.clip(radius / 14.0, 0, 14.99)
    column = np.clip((angle + np.pi) / (2 * np.pi) * 159, 0, 158.99) + 0.25 * np.sin(radius / 9.0)
    column = np.clip(column, 0, 158.99)
    return np.exp(-2.5 * np.abs(_lookup(table, row, column)))


def _lookup(table: Floats, row: Floats, column: Floats) -> Floats:
    i, j = row.astype(np.intp), column.astype(np.intp)
    u, v = row - i, column - j
    top = table[i, j] * (1 - v) + table[i, j + 1] * v
    return (top * (1 - u) + (table[i + 1, j] * (1 - v) + table[i + 1, j + 1] * v) * u).astype(np.float32)


def smoothstep(x: Floats) -> Floats:
    """Rise from 0 to 1 over [0, 1]."""
    t = np.clip(x, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def wave(rng: np.random.Generator, on: Canvas, grain_mm: float) -> Floats:
    """Smooth noise along the rows of an image (1, columns), of about unit deviation."""
    knots = rng.standard_normal((1, round(on.width_mm / grain_mm) + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(knots).resize((on.shape[1], 1), Image.Resampling.BICUBIC)) * np.float32(1.2)


def ridge(distance: Floats, width: float) -> Floats:
    """A smooth line: 1 where `distance` is 0, falling off over `width`."""
    return np.exp(-np.square(distance / np.float32(width)))


def inside(depth_mm: Floats, edge_mm: float) -> Floats:
    """1 where `depth_mm` below a surface is positive, 0 where negative, soft over `edge_mm`."""
    return 1 / (1 + np.exp(np.clip(-depth_mm / np.float32(edge_mm), -30, 30)))
