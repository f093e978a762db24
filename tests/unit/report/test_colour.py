"""The colours of influence and of the bars, to every kind of eye."""

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.report.colour import LOWEST_SHOWN, OPACITY, PALETTE
from agent.report.layout import TISSUE
from agent.report.strip import LOWERS, RAISES

Floats = NDArray[np.float64]

# sRGB (IEC 61966-2-1) to CIE XYZ of D65, of linear light
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency,
# IEEE Trans. Vis. Comput. Graph. 15(6), 2009: severity 1.0, of linear light
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
SCALE = np.frombuffer(PALETTE, np.uint8).reshape(256, 3).astype(float)


def lab(rgb: Floats, eye: Floats) -> Floats:
    """Return CIE L*a*b* of sRGB colours (N, 3), 0 to 255, as an eye sees them."""
    share = np.asarray(rgb, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ eye.T, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def steps(colours: Floats, count: int) -> Floats:
    """Return the distances between neighbours of `count` + 1 colours from the first to the last."""
    chosen = colours[np.linspace(0, len(colours) - 1, count + 1).round().astype(int)]
    return np.asarray(np.linalg.norm(np.diff(chosen, axis=0), axis=1))


def test_white_is_white() -> None:
    """The formula itself: white has a lightness of 100 and no hue."""
    assert lab(np.full((1, 3), 255.0), EYES["normal"])[0] == pytest.approx([100, 0, 0], abs=0.01)


def test_lightness_rises_in_a_straight_line() -> None:
    """Twice as far along the scale is twice as much lighter, to half of a just noticeable difference."""
    lightness = lab(SCALE, EYES["normal"])[:, 0]
    line = np.linspace(lightness[0], lightness[-1], 256)
    assert (np.diff(lightness[::4]) > 0).all()  # single levels differ by less than eight bits can tell
    assert np.abs(lightness - line).max() < 0.5
    assert lightness[-1] - lightness[0] > 50


@pytest.mark.parametrize("eye", EYES)
def test_neighbouring_levels_are_told_apart(eye: str) -> None:
    """Eight steps of the scale are each well above the just noticeable difference (2.3), and each is lighter."""
    seen = lab(SCALE, EYES[eye])
    assert steps(seen, 8).min() > 6
    assert (np.diff(seen[::32, 0]) > 3).all()


@pytest.mark.parametrize("eye", EYES)
def test_influence_lightens_tissue_of_middle_brightness(eye: str) -> None:
    """As it is drawn, four levels are told apart, and none looks darker than the tissue by a noticeable difference."""
    opacity = np.array(OPACITY)[:, None] / 255
    drawn = lab((SCALE * opacity + TISSUE * (1 - opacity))[LOWEST_SHOWN:], EYES[eye])
    assert steps(drawn, 4).min() > 2.3
    assert (np.maximum.accumulate(drawn[:, 0]) - drawn[:, 0]).max() < 1


@pytest.mark.parametrize("eye", EYES)
def test_bars_to_both_sides_are_told_apart(eye: str) -> None:
    """What raised and what lowered differ by far in hue, and both stand out from black."""
    raises, lowers = lab(np.array([RAISES, LOWERS], float), EYES[eye])
    assert np.linalg.norm(raises - lowers) > 60
    assert min(raises[0], lowers[0]) > 60
