"""The phantom's ultrasound shows what the latents say, and nothing else of the outcome."""

from dataclasses import replace

import numpy as np
import pytest

from agent.preprocess.ultrasound import prepare
from models import phantom
from models.phantom.ultrasound import FIELD_MM, TARGETS, cortex_mm, hilum_contrast, mask, mass_width_mm, render, spot

SMALL = (176, 176)
TENSOR = {"height": 128, "width": 128, "tensor_pixel_mm": 0.4}
PLAIN = phantom.Axilla(*(0.0,) * 8)


def someone(number: int = 0, sides: tuple[str, ...] = ("L",), **latents: float) -> phantom.Patient:
    """Make a patient with plain latents but those given."""
    return phantom.patient(2, str(number), sides=sides, axillae=dict.fromkeys(sides, replace(PLAIN, **latents)))


def contrast(patient: phantom.Patient) -> float:
    """How much brighter the node is in its middle than in its cortex."""
    image, node = render(patient, "L", "node", *SMALL).astype(float), mask(patient, "L", "node", *SMALL)
    mm = SMALL[0] / FIELD_MM
    middle, rim = eroded(node, round((cortex_mm(0) + 0.5) * mm)), node & ~eroded(node, round((cortex_mm(0) - 0.8) * mm))
    return float(image[middle].mean() - image[rim & eroded(node, round(0.6 * mm))].mean())


def eroded(inside: np.ndarray, pixels: int) -> np.ndarray:
    """Take `pixels` off the edge of a mask."""
    away = np.hypot(*np.indices((2 * pixels + 1, 2 * pixels + 1)) - pixels) <= pixels
    shifts = np.argwhere(away) - pixels
    return np.logical_and.reduce([np.roll(inside, shift, (0, 1)) for shift in shifts])


@pytest.mark.parametrize("target", TARGETS)
def test_a_finding_is_dark_within_its_mask(target: str) -> None:
    """Mass and node are darker than the tissue around, where mask and spot say."""
    for number in range(4):
        patient = someone(number, hilum=2.5)
        image, inside = render(patient, "L", target, *SMALL).astype(float), mask(patient, "L", target, *SMALL)
        at = spot(patient, "L", target)
        row, column = (round(mm / FIELD_MM * SMALL[0]) for mm in (at.y_mm, at.x_mm))
        beside = ~inside & (np.abs(np.arange(SMALL[0]) - row) < 15)[:, None]
        assert inside[row, column]
        assert image[inside].mean() < image[beside].mean() - 20


def test_the_mask_is_as_wide_as_the_mass() -> None:
    """A mask's width follows the size on ultrasound."""
    for size in (-2, 0, 1.5):
        patient = someone(ultrasound_size=size)
        columns = np.flatnonzero(mask(patient, "L", "tumour", 500, 500).any(0))
        width_mm = (columns[-1] - columns[0] + 1) * FIELD_MM / 500
        assert width_mm == pytest.approx(mass_width_mm(size), rel=0.15)


def test_size_on_ultrasound_is_not_the_size_itself() -> None:
    """The size that mammograms show does not move the ultrasound."""
    assert np.array_equal(
        render(someone(size=-2), "L", "tumour", *SMALL), render(someone(size=2), "L", "tumour", *SMALL)
    )


def test_masses_stay_in_the_field() -> None:
    """The largest mass is narrower than the field, a larger one is still wider, and usual ones are not cut."""
    widths = [mass_width_mm(x) for x in np.linspace(-4, 4, 50)]
    assert np.all(np.diff(widths) > 0)
    assert widths[-1] < 44.01
    for number in range(20):
        inside = mask(someone(number, ultrasound_size=1.5), "L", "tumour", *SMALL)
        assert not inside[:, [0, -1]].any()
        assert not inside[[0, -1]].any()


def test_the_node_grows_by_its_cortex() -> None:
    """The mask's height is hilum and twice the cortex."""
    heights = []
    for cortex in (-2, 0, 2):
        rows = np.flatnonzero(mask(someone(cortex=cortex), "L", "node", 500, 500).any(1))
        heights.append((rows[-1] - rows[0] + 1) * FIELD_MM / 500)
    assert heights[1] - heights[0] == pytest.approx(2 * (cortex_mm(0) - cortex_mm(-2)), abs=1.0)
    assert heights[2] - heights[1] == pytest.approx(2 * (cortex_mm(2) - cortex_mm(0)), abs=1.5)


def test_the_hilum_fades() -> None:
    """The brightness of the middle of a node, measured in its pixels, tells the hilum."""
    rng = np.random.default_rng(1)
    hila = rng.normal(size=40)
    measured = [contrast(someone(i, hilum=hilum)) for i, hilum in enumerate(hila)]
    assert np.corrcoef(measured, hila)[0, 1] < -0.93


def test_cortex_and_hilum_have_the_ranges_of_the_field() -> None:
    """Cortices are 1.5 to 8 mm thick; a hilum is never quite gone."""
    wide = np.linspace(-5, 5, 41)
    assert (min(map(cortex_mm, wide)), max(map(cortex_mm, wide))) == (1.5, 8.0)
    assert (min(map(hilum_contrast, wide)), max(map(hilum_contrast, wide))) == (0.1, 1.05)
    assert cortex_mm(0) > cortex_mm(-1)
    assert hilum_contrast(1) < hilum_contrast(0)


def test_a_healthy_side_has_a_calm_node_and_no_mass() -> None:
    """Nothing is masked as a mass, the cortex is thin and the hilum bright."""
    patient = phantom.patient(2, "A", sides=("L",))
    assert not mask(patient, "R", "tumour", *SMALL).any()
    both = phantom.patient(2, "A", sides=("L", "R"))
    inside = mask(both, "R", "tumour", *SMALL)
    image = {p.side: render(p, "R", "tumour", *SMALL).astype(float)[inside].mean() for p in (patient, both)}
    assert image["L"] > image["B"] + 25
    assert cortex_mm(patient.node("R").cortex) < 3
    assert hilum_contrast(patient.node("R").hilum) > 0.6


@pytest.mark.parametrize("target", TARGETS)
def test_small_renderings_give_the_tensor_of_full_ones(target: str) -> None:
    """Training on small renderings sees what serving sees."""
    for number in range(3):
        patient = phantom.patient(8, str(number))
        full, small = (
            prepare(render(patient, "L", target, *shape), pixel_mm=FIELD_MM / shape[0], **TENSOR)[0]  # type: ignore[arg-type]
            for shape in ((500, 500), SMALL)
        )
        assert np.abs(full - small).mean() < 0.02
        assert np.corrcoef(full.ravel(), small.ravel())[0, 1] > 0.98


def test_the_same_patient_looks_the_same() -> None:
    """Rendering is reproducible, and no two patients, sides or targets look alike."""
    first = render(someone(1), "L", "node", *SMALL)
    assert np.array_equal(first, render(someone(1), "L", "node", *SMALL))
    others = [render(someone(2), "L", "node", *SMALL), render(someone(1), "R", "node", *SMALL)]
    assert all(np.corrcoef(first.ravel(), other.ravel())[0, 1] < 0.9 for other in others)
