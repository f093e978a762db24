"""What the latents make visible: a mass with spicules, and an axillary node."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.phantom.latents import Axilla
from models.phantom.patient import size_mm
from models.phantom.texture import Canvas, Floats

SPICULES, SPICULE_MM = 18, 1.4


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something lies on a view, in mm from the top left corner with the chest wall at the left."""

    x_mm: float
    y_mm: float
    radius_mm: float


def uniform(latent: float) -> float:
    """Standard normal to (0, 1)."""
    return 0.5 * (1 + math.erf(latent / math.sqrt(2)))


def mass_radius_mm(axilla: Axilla) -> float:
    """Radius of the mass, without its spicules."""
    return size_mm(axilla.size) / 2


def node_radius_mm(node: float) -> float:
    """Longer half axis of the node."""
    return 4.6 * math.exp(0.30 * node)


def add_mass(image: Floats, on: Canvas, at: Spot, spiculation: float, rng: np.random.Generator) -> None:
    """Draw a mass into `image`; how far and how brightly spicules reach tells the spiculation."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, SPICULES)).astype(np.float32)
    lengths = rng.uniform(0.75, 1.25, SPICULES).astype(np.float32)
    lobes, contrast = rng.normal(0, 0.035, (2, 5)), 900 * rng.uniform(0.9, 1.1)
    share = uniform(spiculation)
    reach = np.float32(4 + 20 * share) * lengths
    part, dx, dy = around(on, at, at.radius_mm + float(reach.max()) + 4)
    distance, theta = np.hypot(dx, dy), np.arctan2(dy, dx)
    edge = at.radius_mm * (1 + sum(a * np.cos((k + 2) * theta + 6 * b) for k, (a, b) in enumerate(lobes.T)))
    body = 1 / (1 + np.exp(np.clip((distance - edge) / 0.9, -30, 30)))
    rays = np.zeros_like(distance)
    for angle, length in zip(angles, reach, strict=True):
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        fade = np.clip(1 - (along - at.radius_mm) / length, 0, 1) * (along > 0.5 * at.radius_mm)
        rays = np.maximum(rays, fade * np.exp(-((across / SPICULE_MM) ** 2)))
    image[part] += contrast * body + 850 * (0.15 + 0.85 * share) * rays * (1 - body)


def add_node(image: Floats, on: Canvas, at: Spot, node: float, rng: np.random.Generator) -> None:
    """Draw a node: a small bean with a fatty hilum when it looks normal, large, round and dense when it does not."""
    share, tilt = uniform(node), rng.uniform(0.5, 1.2)
    part, dx, dy = around(on, at, 2.2 * at.radius_mm)
    u = (dx * math.cos(tilt) + dy * math.sin(tilt)) / at.radius_mm
    v = (dy * math.cos(tilt) - dx * math.sin(tilt)) / (at.radius_mm * (0.55 + 0.35 * share))
    body = 1 / (1 + np.exp(np.clip((np.hypot(u, v) - 1) * at.radius_mm / 0.7, -30, 30)))
    hilum = np.exp(-(((u - 0.1) / 0.45) ** 2) - ((v + 0.25) / 0.4) ** 2)
    image[part] += (450 + 750 * share) * body * (1 - (1 - share) * 0.8 * hilum)


def add_calcifications(image: Floats, on: Canvas, centre_mm: tuple[float, float], rng: np.random.Generator) -> None:
    """Scatter benign calcifications, which say nothing of the outcome."""
    for _ in range(int(rng.poisson(5))):
        x, y = rng.normal(centre_mm, (22, 26))
        radius, amplitude = rng.uniform(0.35, 0.8), rng.uniform(500, 1100)
        width = max(radius, 0.6 * on.pixel_mm)
        part, dx, dy = around(on, Spot(float(x), float(y), 0), 4 * width)
        if image[part].min(initial=0 if image[part].size == 0 else np.inf) < 300:
            continue  # in air or at the skin
        image[part] += np.float32(amplitude * (radius / width) ** 2) * np.exp(-((dx / width) ** 2) - (dy / width) ** 2)


def around(on: Canvas, at: Spot, reach_mm: float) -> tuple[tuple[slice, slice], NDArray[np.float32], Floats]:
    """The part of the image within reach of a spot, and the offsets of its pixels from the spot in mm."""
    rows = np.flatnonzero(np.abs(on.y_mm[:, 0] - at.y_mm) <= reach_mm)
    columns = np.flatnonzero(np.abs(on.x_mm[0] - at.x_mm) <= reach_mm)
    if rows.size == 0 or columns.size == 0:
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    dx = on.x_mm[:, part[1]] - np.float32(at.x_mm)
    dy = on.y_mm[part[0]] - np.float32(at.y_mm)
    return (
        part,
        np.broadcast_to(dx, np.broadcast_shapes(dx.shape, dy.shape)),
        np.broadcast_to(dy, np.broadcast_shapes(dx.shape, dy.shape)),
    )
