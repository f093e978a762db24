"""The phantom's dynamic MR shows what the latents say, and nothing else of the outcome."""

from dataclasses import replace

import numpy as np
import pytest

from agent.preprocess.mri import prepare
from models import phantom
from models.phantom import mri

SMALL = (128, 204)
PIXEL_MM = mri.FIELD_HEIGHT_MM / SMALL[0]
TENSOR = {"height": 80, "width": 96, "tensor_pixel_mm": 1.6, "phases": 4, "columns_to_left": True}
PLAIN = phantom.Axilla(*(0.0,) * 8)


def someone(number: int = 0, sides: tuple[str, ...] = ("L",), **latents: float) -> phantom.Patient:
    """Make a patient with plain latents but those given."""
    return phantom.patient(2, str(number), sides=sides, axillae=dict.fromkeys(sides, replace(PLAIN, **latents)))


def enhancement(patient: phantom.Patient, side: str = "L") -> np.ndarray:
    """Enhancement of the core of the mass in each phase, measured in the pixels."""
    z, at = mri.mass_spot(patient, side)
    shown = mri.volume(patient, *SMALL)[:, round(z)].astype(float)
    rows, columns = np.indices(SMALL)
    away = np.hypot((columns + 0.5) * PIXEL_MM - at.x_mm, (rows + 0.5) * PIXEL_MM - at.y_mm)
    core = shown[:, away < max(0.6 * at.radius_mm, PIXEL_MM)].mean(1)
    return core / core[0] - 1


def test_uptake_and_washout_can_be_measured() -> None:
    """The first phase after contrast tells the uptake, the change to the last the wash-out."""
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(30, 2))
    found = np.array([enhancement(someone(i, uptake=u, washout=w)) for i, (u, w) in enumerate(latents)])
    assert np.corrcoef(found[:, 1], latents[:, 0])[0, 1] > 0.97
    assert np.corrcoef(found[:, 3] / found[:, 1], latents[:, 1])[0, 1] < -0.95


def test_kinetics_have_the_ranges_of_the_field() -> None:
    """Enhancement is 40 to 160 %, and changes by at most 30 % after the first phase."""
    wide = np.linspace(-5, 5, 41)
    assert (min(map(mri.uptake_share, wide)), max(map(mri.uptake_share, wide))) == (0.4, 1.6)
    assert (min(map(mri.late_slope, wide)), max(map(mri.late_slope, wide))) == (-0.3, 0.3)
    curve = mri.mass_curve(replace(PLAIN, washout=2.5))
    assert curve[0] == 0
    assert curve[1] > curve[2] > curve[3] > 0


@pytest.mark.parametrize("side", ["L", "R"])
def test_the_mass_is_on_its_side(side: str) -> None:
    """The patient's left is at the image's right."""
    patient = someone(sides=(side,))
    _, at = mri.mass_spot(patient, side)
    assert (at.x_mm > mri.FIELD_WIDTH_MM / 2) == (side == "L")
    assert enhancement(patient, side)[1] > 0.8


def test_the_mass_grows_with_the_size() -> None:
    """More pixels of more slices enhance."""

    def extent(size: float) -> tuple[int, int]:
        with_mass = mri.volume(someone(size=size, uptake=2), *SMALL).astype(int)
        without = mri.volume(someone(size=-9, uptake=2), *SMALL).astype(int)
        more = (with_mass[1] - without[1]) > 150
        return int(more.sum()), int((more.sum((1, 2)) > 3).sum())

    small, usual, large = extent(-1.5), extent(0), extent(1.5)
    assert small[0] < usual[0] < large[0]
    assert 1 <= small[1] <= usual[1] < large[1] <= mri.SLICES


def test_other_latents_do_not_show() -> None:
    """Spicules and nodes move no pixel of an MR."""
    others = {"spiculation": 2.0, "node_density": 2.0, "ultrasound_size": 2.0, "cortex": 2.0, "hilum": 2.0}
    assert np.array_equal(mri.volume(someone(), *SMALL), mri.volume(someone(**others), *SMALL))


def test_a_healthy_side_has_no_mass() -> None:
    """Where a diseased side has its mass, a healthy one enhances little."""
    both, left = phantom.patient(2, "A", sides=("L", "R")), phantom.patient(2, "A", sides=("L",))
    z, at = mri.mass_spot(both, "R")
    row, column = int(at.y_mm / PIXEL_MM), int(at.x_mm / PIXEL_MM)
    gains = [
        mri.render(p, 1, round(z), *SMALL).astype(int) - mri.render(p, 0, round(z), *SMALL).astype(int)
        for p in (both, left)
    ]
    assert gains[0][row, column] > gains[1][row, column] + 150
    assert np.abs(gains[0][:, SMALL[1] // 2 :] - gains[1][:, SMALL[1] // 2 :]).mean() < 10


def test_one_image_is_that_of_the_volume() -> None:
    """Rendering a slice alone gives what the whole volume holds of it."""
    volume = mri.volume(someone(3), *SMALL)
    assert volume.shape == (mri.PHASES, mri.SLICES, *SMALL)
    assert volume.dtype == np.uint16
    assert np.array_equal(mri.render(someone(3), 2, 5, *SMALL), volume[2, 5])


@pytest.mark.parametrize("side", ["L", "R"])
def test_small_renderings_give_the_tensor_of_full_ones(side: str) -> None:
    """Training on small renderings sees what serving sees."""
    patient = phantom.patient(8, "A", sides=(side,))
    full, small = (
        prepare(mri.volume(patient, *shape), pixel_mm=(mri.FIELD_HEIGHT_MM / shape[0],) * 2, side=side, **TENSOR)[0]  # type: ignore[arg-type]
        for shape in ((mri.ROWS, mri.COLUMNS), SMALL)
    )
    assert np.abs(full - small).mean() < 0.02
    assert np.corrcoef(full.ravel(), small.ravel())[0, 1] > 0.98
