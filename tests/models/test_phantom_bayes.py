"""The best possible AUC on the phantom is what its closed form says."""

from dataclasses import replace

import numpy as np
import pytest

from models.phantom.bayes import (
    CLINICAL,
    MODALITIES,
    SUBSETS,
    auc,
    known_and_rest,
    posteriors,
    prevalence,
    share_of_excess,
)
from models.phantom.latents import NORMALS, OUTCOME, SIDED, Axilla, Biology, covariance, draw_axilla, draw_biology
from models.phantom.patient import Patient, patient
from models.statistics import discrimination

DRAWS = 200_000
SEEN = {
    "clinical": ("ultrasound_size", "proliferation", "age", "flags"),
    "MG": ("size", "spiculation", "node_density"),
    "US": ("ultrasound_size", "cortex", "hilum"),
    "MR": ("size", "washout", "uptake"),
}
Draws = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def drawn() -> Draws:
    """Latents, score and outcome of many patients, drawn by their definition."""
    rng = np.random.default_rng(5)
    names = ("size", "spiculation", "cortex", "hilum", "washout", "uptake", "proliferation", "age")
    found = dict(zip(names, rng.standard_normal((len(names), DRAWS)), strict=True))
    found["ultrasound_size"] = 0.8 * found["size"] + 0.6 * rng.standard_normal(DRAWS)
    found["node_density"] = 0.6 * found["cortex"] + 0.8 * rng.standard_normal(DRAWS)
    invasion = rng.random(DRAWS) < OUTCOME.lymphovascular_invasion_share
    multifocal = rng.random(DRAWS) < OUTCOME.multifocal_share
    found["flags"] = OUTCOME.lymphovascular_invasion * invasion + OUTCOME.multifocal * multifocal
    weighted = sum(getattr(OUTCOME, name) * found[name] for name in (*names, "ultrasound_size", "node_density"))
    score = weighted + found["flags"]
    return {**found, "score": score, "positive": score + rng.standard_normal(DRAWS) > OUTCOME.cutoff}


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    """Patients as the phantom makes them."""
    return [patient(11, str(i)) for i in range(2500)]


@pytest.fixture(scope="module")
def known(patients: list[Patient]) -> np.ndarray:
    """Posteriors of the patients given each subset (N, 16)."""
    return np.array([posteriors(someone.axillae["L"], someone.biology) for someone in patients])


def named(subset: frozenset[str]) -> str:
    """Name a subset."""
    return "+".join(sorted(subset)) or "nothing"


@pytest.mark.parametrize("subset", SUBSETS[1:], ids=named)
def test_the_closed_form_agrees_with_drawing(subset: frozenset[str], drawn: Draws) -> None:
    """The best linear guess of the score from what a subset sees reaches the AUC of the integral."""
    seen = np.stack(
        [drawn[name] for name in sorted({name for m in subset for name in SEEN[m]})] + [np.ones(DRAWS)], axis=1
    )
    guess = seen @ np.linalg.lstsq(seen, drawn["score"], rcond=None)[0]
    found = discrimination.auc(guess, drawn["positive"].astype(bool))
    assert abs(found.value - auc(subset)) < 2.5 * (found.high - found.low) / 3.92
    assert found.high - found.low < 0.006


def test_the_prevalence_agrees_with_drawing(drawn: Draws) -> None:
    """The share of positives is the closed form's."""
    assert abs(drawn["positive"].mean() - prevalence()) < 0.004


def test_the_phantom_is_neither_easy_nor_hopeless() -> None:
    """Everything reaches 0.86-0.90, a single modality 0.64-0.78."""
    assert 0.86 <= auc(frozenset(MODALITIES)) <= 0.90
    assert all(0.64 <= auc(frozenset({m})) <= 0.78 for m in MODALITIES)
    assert auc(frozenset()) == 0.5


def test_subsets_are_bit_masks() -> None:
    """Bit i of a subset's index says whether modality i is in it."""
    assert MODALITIES == ("clinical", "MG", "US", "MR")
    assert [{m for bit, m in enumerate(MODALITIES) if i & 2**bit} for i in range(16)] == [set(s) for s in SUBSETS]


def test_more_is_never_worse() -> None:
    """Each further modality raises the best AUC, also one that only corrects what another sees."""
    for subset in SUBSETS:
        assert all(auc(subset | {m}) > auc(subset) + 0.005 for m in MODALITIES if m not in subset)


def test_known_part_and_remainder_share_out_the_variance() -> None:
    """Whatever is known, known and remainder together vary alike."""

    def variance(subset: frozenset[str]) -> float:
        return sum(m.variance + m.weights @ m.means**2 - (m.weights @ m.means) ** 2 for m in known_and_rest(subset))

    total = variance(frozenset())
    assert [variance(s) for s in SUBSETS] == pytest.approx([total] * len(SUBSETS))


@pytest.mark.parametrize("index", range(16), ids=lambda i: named(SUBSETS[i]))
def test_posteriors_are_calibrated(index: int, known: np.ndarray, patients: list[Patient]) -> None:
    """The mean posterior of many patients is the prevalence, and its top and bottom hold their share of positives."""
    p, positive = known[:, index], np.array([someone.outcomes["L"] for someone in patients])
    assert abs(p.mean() - positive.mean()) < 0.03
    assert abs(p.mean() - prevalence()) < 0.03
    for some in (p >= np.quantile(p, 0.8), p <= np.quantile(p, 0.2)):
        assert abs(p[some].mean() - positive[some].mean()) < 0.08


@pytest.mark.parametrize("index", [1, 2, 4, 8, 15], ids=lambda i: named(SUBSETS[i]))
def test_posteriors_reach_the_best_auc(index: int, known: np.ndarray, patients: list[Patient]) -> None:
    """Ranking patients by the posterior reaches the AUC of the closed form."""
    found = discrimination.auc(known[:, index], np.array([someone.outcomes["L"] for someone in patients]))
    assert found.low - 0.01 < auc(SUBSETS[index]) < found.high + 0.01


def test_latents_are_standard() -> None:
    """Drawn latents have mean 0, the covariance that is declared, flags their shares."""
    rng = np.random.default_rng(3)
    axillae = np.array([[getattr(a, name) for name in SIDED] for a in (draw_axilla(rng) for _ in range(4000))])
    flags = [draw_biology(rng) for _ in range(4000)]
    assert np.abs(axillae.mean(0)).max() < 0.07
    assert np.abs(np.cov(axillae.T) - covariance()[:8, :8]).max() < 0.08
    assert covariance()[NORMALS.index("size"), NORMALS.index("ultrasound_size")] == 0.8
    assert covariance()[NORMALS.index("cortex"), NORMALS.index("node_density")] == 0.6
    assert abs(np.mean([b.multifocal for b in flags]) - OUTCOME.multifocal_share) < 0.03


def test_higher_latents_mean_higher_risk() -> None:
    """Every finding that is worse raises the posterior."""
    calm = Biology(0, 0, False, False)
    risks = [posteriors(Axilla(*(x,) * 8), calm)[-1] for x in (-1.5, 0, 1.5)]
    assert risks[0] < 0.05 < risks[1] < 0.5 < risks[2]


@pytest.mark.parametrize("name", SIDED)
def test_each_modality_sees_its_own_latents_alone(name: str) -> None:
    """A latent moves the posterior given a modality if, and only if, that modality sees it."""
    calm, plain = Biology(0, 0, False, False), Axilla(*(0.0,) * 8)
    moved = posteriors(replace(plain, **{name: 1.0}), calm) != posteriors(plain, calm)
    assert {m for i, m in enumerate(MODALITIES) if moved[2**i]} == {m for m in MODALITIES if name in SEEN[m]}


def test_flags_are_clinical() -> None:
    """Lymphovascular invasion moves the posterior only where the facts are known."""
    plain = Axilla(*(0.0,) * 8)
    moved = posteriors(plain, Biology(0, 0, True, False)) != posteriors(plain, Biology(0, 0, False, False))
    assert [CLINICAL in s for s in SUBSETS] == moved.tolist()


def test_share_of_excess() -> None:
    """Chance keeps nothing, the best possible everything."""
    assert share_of_excess(0.5, 0.86) == 0
    assert share_of_excess(0.86, 0.86) == 1
