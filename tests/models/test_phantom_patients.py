"""Synthetic patients: reproducible, plausible, and honest about what their images give away."""

from datetime import date

import numpy as np
import pytest

from agent.core.clinical import ClinicalFacts, Fact
from agent.preprocess.mammogram import prepare
from models import phantom
from models.phantom.mammogram import VIEWS, in_pixels, mass_spot, node_spot, render

SMALL = (320, 256)
RANGES = {"size_ultrasound_mm": (1, 200), "ki67_percent": (0, 100), "er_percent": (0, 100), "grade": (1, 3)}


def test_the_same_seed_gives_the_same_patient() -> None:
    """A patient follows from seed, issuer and ID, and from nothing else."""
    assert phantom.patient(1, "A") == phantom.patient(1, "A")
    others = (phantom.patient(2, "A"), phantom.patient(1, "B"), phantom.patient(1, "A", issuer="OTHER"))
    assert all(other.biology != phantom.patient(1, "A").biology for other in others)


def test_latents_can_be_given() -> None:
    """A patient of high risk can be ordered, the rest stays as drawn."""
    wanted = phantom.Axilla(*(2.0,) * 8)
    someone = phantom.patient(1, "A", axillae={"L": wanted}, biology=phantom.Biology(2, 0, True, True))
    assert someone.axillae == {"L": wanted}
    assert someone.outcomes == {"L": True}
    assert someone.anatomy == phantom.patient(1, "A").anatomy


def test_both_sides_can_be_diseased() -> None:
    """A bilateral cancer has an outcome a side and says B."""
    someone = phantom.patient(1, "A", sides=("L", "R"))
    assert (someone.side, set(someone.outcomes)) == ("B", {"L", "R"})
    assert someone.axillae["L"] != someone.axillae["R"]


@pytest.mark.parametrize("sides", [(), ("X",)])
def test_sides_are_left_and_right(sides: tuple[str, ...]) -> None:
    """Other sides are refused."""
    with pytest.raises(ValueError, match="sides"):
        phantom.patient(1, "A", sides=sides)


def test_rows_use_the_names_and_ranges_of_the_dictionary() -> None:
    """Every value of an EHR row is plausible, and the issuer and ID are the patient's."""
    rows = [phantom.ehr_row(phantom.patient(4, str(i))) for i in range(300)]
    for row in rows:
        assert (row["issuer_of_patient_id"], row["diagnosis"], row["sex"]) == ("PHANTOM", "invasive", "F")
        assert all(low <= float(row[name]) <= high for name, (low, high) in RANGES.items())  # type: ignore[arg-type]
        age = ClinicalFacts({"birth_date": Fact(row["birth_date"], date(2026, 1, 5))}).age(date(2026, 1, 5))
        assert 18 <= (age or 0) <= 110
    assert {row["grade"] for row in rows} == {1, 2, 3}


def test_the_day_of_recording_can_be_given() -> None:
    """Facts may become known on another day than the diagnosis."""
    row = phantom.ehr_row(phantom.patient(1, "A"), date(2026, 2, 1))
    assert row["recorded_date"] == row["diagnosis_date"] == date(2026, 2, 1)


@pytest.mark.parametrize("view", VIEWS)
def test_a_right_breast_has_its_chest_wall_at_the_right(view: str) -> None:
    """Views are shown as they hang."""
    image = render(phantom.patient(1, "A"), "R", view, *SMALL)
    assert image.dtype == np.uint16
    assert image.max() <= 4095
    assert image[:, -64:].mean() > 5 * image[:, :64].mean()


@pytest.mark.parametrize("side", ["L", "R"])
def test_findings_are_bright_where_they_are_said_to_be(side: str) -> None:
    """Mass and node stand out from what surrounds them, on the diseased side."""
    someone = phantom.patient(1, "A", sides=(side,), axillae={side: phantom.Axilla(1, -2, 2, 0, 0, 0, 0, 0)})
    for spot, view in ((mass_spot(someone, side, "CC"), "CC"), (node_spot(someone, side), "MLO")):
        image = render(someone, side, view, *SMALL).astype(float)
        row, column, radius = in_pixels(spot, side, *SMALL)
        distance = np.hypot(*(np.indices(SMALL) + 0.5 - np.array([row, column])[:, None, None]))
        inside, around = image[distance < 0.6 * radius], image[(distance > 2 * radius) & (distance < 3 * radius)]
        assert inside.mean() > around.mean() + 300


def test_a_healthy_side_has_no_mass() -> None:
    """The mass is drawn on diseased sides alone."""
    both = phantom.patient(1, "A", sides=("L", "R"))
    left = phantom.patient(1, "A", sides=("L",))
    row, column, _ = (int(v) for v in in_pixels(mass_spot(both, "R", "CC"), "R", *SMALL))
    assert int(render(both, "R", "CC", *SMALL)[row, column]) > int(render(left, "R", "CC", *SMALL)[row, column]) + 400


@pytest.mark.parametrize("view", VIEWS)
def test_small_renderings_give_the_tensor_of_full_ones(view: str) -> None:
    """Training on small renderings sees what serving sees: mean difference below 2 % of the range."""
    for i in range(2):
        someone = phantom.patient(8, str(i))
        tensors = [
            prepare(image, inverted=False, height=256, width=208)[0]
            for image in (render(someone, "L", view), render(someone, "L", view, *SMALL))
        ]
        assert np.abs(tensors[0] - tensors[1]).mean() < 0.02
        assert np.corrcoef(tensors[0].ravel(), tensors[1].ravel())[0, 1] > 0.99
