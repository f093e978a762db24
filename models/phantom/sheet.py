"""A contact sheet: a row of pictures for each of some synthetic patients, so that a person can judge them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.phantom import mammogram, mri
from models.phantom import ultrasound as us
from models.phantom.bayes import MODALITIES, SUBSETS, posteriors
from models.phantom.patient import Patient, patient, size_mm

HIGH, GAP, TITLE, CAPTION = 250, 8, 34, 22  # pixels
MAMMOGRAM_WHITE = 2700
CONTOUR: Final = (90, 220, 120)
INK, QUIET = (235, 235, 235), (150, 150, 150)


@dataclass(frozen=True)
class Tile:
    """One picture (H, W, 3) and what is written below it."""

    image: NDArray[np.uint8]
    caption: str


def contact_sheet(seed: int, patients: int) -> Image.Image:
    """Draw the first patients of a seed, diseased on the left and on the right by turns."""
    people = [patient(seed, str(number), sides=("LR"[number % 2],)) for number in range(patients)]
    rows = [tiles(someone) for someone in people]
    wide = sum(tile.image.shape[1] + GAP for tile in rows[0]) + GAP
    sheet = Image.new("RGB", (wide, patients * (TITLE + HIGH + CAPTION + GAP)))
    for number, (someone, row) in enumerate(zip(people, rows, strict=True)):
        _draw_row(sheet, number * (TITLE + HIGH + CAPTION + GAP), title(number, someone), row)
    return sheet


def title(number: int, someone: Patient) -> str:
    """Say who a row shows, what the best possible reader would say given each modality, and how it ended."""
    side = someone.side
    known = posteriors(someone.axillae[side], someone.biology)
    risks = ", ".join(f"{m} {_share(known[SUBSETS.index(frozenset({m}))])}" for m in MODALITIES)
    ended = "metastasis" if someone.outcomes[side] else "no metastasis"
    where = "left" if side == "L" else "right"
    return f"{number}  {where} axilla: {ended}    risk {_share(known[-1])}    ({risks})"


def _share(risk: float) -> str:
    return "< 1%" if risk < 0.01 else f"{risk:.0%}"


def tiles(someone: Patient) -> list[Tile]:
    """Pictures of the diseased side: mammograms, ultrasound with masks, dynamic MR at the slice of the mass."""
    side = someone.side
    axilla = someone.axillae[side]
    position, _ = mri.mass_spot(someone, side)
    before, early, *_, late = mri.volume(someone)[:, round(position)].astype(np.float32)
    white = float(np.percentile(early, 99.5))
    spicules = f"spicules {axilla.spiculation:+.1f}"
    return [
        _mammogram(someone, "CC", f"CC: mass {size_mm(axilla.size):.0f} mm, {spicules}"),
        _mammogram(someone, "MLO", f"MLO: node {axilla.node_density:+.1f}"),
        _ultrasound(someone, "tumour", f"US: mass {us.mass_width_mm(axilla.ultrasound_size):.0f} mm"),
        _ultrasound(
            someone,
            "node",
            f"US: cortex {us.cortex_mm(axilla.cortex):.1f} mm, hilum {us.hilum_contrast(axilla.hilum):.0%}",
        ),
        Tile(_grey(before, white), f"MR before contrast, slice {round(position) + 1} of {mri.SLICES}"),
        Tile(_grey(early, white), f"MR 1st after: mass takes up {mri.uptake_share(axilla.uptake):.0%}"),
        Tile(_grey(early - before, 0.8 * white), "1st after - before"),
        Tile(_grey(late - before, 0.8 * white), f"last - before: mass {mri.late_slope(axilla.washout):+.0%}"),
    ]


def _mammogram(someone: Patient, view: str, caption: str) -> Tile:
    return Tile(_grey(mammogram.render(someone, someone.side, view, 640, 512), MAMMOGRAM_WHITE), caption)


def _ultrasound(someone: Patient, target: str, caption: str) -> Tile:
    """Ultrasound with the contour of its mask."""
    shape = HIGH, HIGH
    shown = np.repeat(us.render(someone, someone.side, target, *shape)[..., None], 3, axis=2)
    inside = us.mask(someone, someone.side, target, *shape)
    around = np.pad(inside, 1, mode="edge")
    core = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    shown[inside & ~core] = CONTOUR
    return Tile(shown, caption)


def _grey(values_hw: NDArray[np.float32] | NDArray[np.uint16], white: float) -> NDArray[np.uint8]:
    grey = Image.fromarray(np.clip(values_hw / np.float32(white) * 255, 0, 255).astype(np.uint8))
    small = grey.resize((round(grey.width * HIGH / grey.height), HIGH), Image.Resampling.BOX)
    return np.repeat(np.asarray(small)[..., None], 3, axis=2)


def _draw_row(sheet: Image.Image, top: int, heading: str, row: Sequence[Tile]) -> None:
    draw, left = ImageDraw.Draw(sheet), GAP
    draw.text((GAP, top + 9), heading, INK, ImageFont.load_default(17))
    for tile in row:
        sheet.paste(Image.fromarray(tile.image), (left, top + TITLE))
        draw.text((left, top + TITLE + HIGH + 4), tile.caption, QUIET, ImageFont.load_default(13))
        left += tile.image.shape[1] + GAP
