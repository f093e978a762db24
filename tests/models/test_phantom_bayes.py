"""The best possible AUC on the phantom is what its closed form says."""

import numpy as np
import pytest

from models.phantom.bayes import CLINICAL, MG, SUBSETS, auc, known_and_rest, posterior, prevalence, share_of_excess
from models.phantom.latents import OUTCOME, Axilla, Biology, draw_axilla, draw_biology
from models.phantom.patient import Patient, patient
from models.statistics import discrimination

DRAWS = 200_000
Draws = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def drawn() -> Draws:
    """Latents, ultrasound and outcome of many patients, drawn by their definition."""
    rng = np.random.default_rng(5)
    size, spiculation, node, growth, age, error, noise = rng.standard_normal((7, DRAWS))
    invasion = (rng.random(DRAWS) < OUTCOME.lymphovascular_invasion_share).astype(float)
    multifocal = (rng.random(DRAWS) < OUTCOME.multifocal_share).astype(float)
    rho = OUTCOME.ultrasound_correlation
    told = OUTCOME.told(growth, age) + OUTCOME.flagged(invasion, multifocal)
    seen = OUTCOME.visible(size, spiculation, node)
    measured = OUTCOME.size * rho * (rho * size + np.sqrt(1 - rho**2) * error)
    positive = told + seen + noise > OUTCOME.cutoff
    return {"clinical": told + measured, "MG": seen, "MG+clinical": told + seen, "positive": positive}


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    """Patients as the phantom makes them."""
    return [patient(11, str(i)) for i in range(2500)]


@pytest.mark.parametrize("subset", [s for s in SUBSETS if s], ids=lambda s: "+".join(sorted(s)))
def test_the_closed_form_agrees_with_drawing(subset: frozenset[str], drawn: Draws) -> None:
    """Monte Carlo of the optimal score finds the AUC of the integral within its interval."""
    found = discrimination.auc(drawn["+".join(sorted(subset))], drawn["positive"])
    assert abs(found.value - auc(subset)) < 2.5 * (found.high - found.low) / 3.92
    assert found.high - found.low < 0.006


def test_the_prevalence_agrees_with_drawing(drawn: Draws) -> None:
    """The share of positives is the closed form's."""
    assert abs(drawn["positive"].mean() - prevalence()) < 0.004


def test_the_phantom_is_neither_easy_nor_hopeless() -> None:
    """Everything reaches 0.80-0.90, a single modality 0.62-0.78."""
    assert 0.80 <= auc(frozenset({CLINICAL, MG})) <= 0.90
    assert all(0.62 <= auc(frozenset({m})) <= 0.78 for m in (CLINICAL, MG))
    assert auc(frozenset()) == 0.5


def test_known_part_and_remainder_share_out_the_variance() -> None:
    """Whatever is known, known and remainder together vary alike."""

    def variance(subset: frozenset[str]) -> float:
        return sum(m.variance + m.weights @ m.means**2 - (m.weights @ m.means) ** 2 for m in known_and_rest(subset))

    total = variance(frozenset())
    assert [variance(s) for s in SUBSETS] == pytest.approx([total] * len(SUBSETS))


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(sorted(s)) or "nothing")
def test_posteriors_are_calibrated(subset: frozenset[str], patients: list[Patient]) -> None:
    """The mean posterior of many patients is the prevalence, and bins of it hold their share of positives."""
    p = np.array([_posterior(subset, someone) for someone in patients])
    positive = np.array([someone.outcomes["L"] for someone in patients])
    assert abs(p.mean() - positive.mean()) < 0.03
    assert abs(p.mean() - prevalence()) < 0.03
    top = p >= np.quantile(p, 0.8)
    assert abs(p[top].mean() - positive[top].mean()) < 0.08


def test_latents_are_standard() -> None:
    """Drawn latents have mean 0 and deviation 1, flags their shares."""
    rng = np.random.default_rng(3)
    axillae = np.array([[a.size, a.spiculation, a.node] for a in (draw_axilla(rng) for _ in range(4000))])
    flags = [draw_biology(rng) for _ in range(4000)]
    assert np.abs(axillae.mean(0)).max() < 0.07
    assert np.abs(axillae.std(0) - 1).max() < 0.05
    assert abs(np.mean([b.multifocal for b in flags]) - OUTCOME.multifocal_share) < 0.03


def test_higher_latents_mean_higher_risk() -> None:
    """Every finding that is worse raises the posterior."""
    calm = Biology(0, 0, False, False)
    both = frozenset({CLINICAL, MG})
    risks = [posterior(both, Axilla(x, x, x), calm, x) for x in (-1.5, 0, 1.5)]
    assert risks[0] < 0.08 < risks[1] < 0.5 < risks[2]


def test_share_of_excess() -> None:
    """Chance keeps nothing, the best possible everything."""
    assert share_of_excess(0.5, 0.86) == 0
    assert share_of_excess(0.86, 0.86) == 1


def _posterior(subset: frozenset[str], someone: Patient) -> float:
    return posterior(subset, someone.axillae["L"], someone.biology, someone.ultrasound)
