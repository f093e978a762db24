"""A synthetic patient: latents, outcome, anatomy and clinical facts, all drawn from a seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from models.phantom.latents import OUTCOME, Axilla, Biology, draw_axilla, draw_biology
from models.phantom.seeds import generator

ISSUER: Final = "PHANTOM"
MEAN_AGE_YEARS, SD_AGE_YEARS = 60.0, 11.0
LOG_SIZE_MM, SD_LOG_SIZE = math.log(17.0), 0.42
DAY: Final = date(2026, 1, 5)

FactValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What makes one woman's images hers, whatever her outcome."""

    scale: float  # of the breast, about 1
    density: float  # standard normal; drives glandular tissue
    droop: float  # standard normal; shape on MLO
    muscle: float  # standard normal; how far the pectoral muscle comes down


@dataclass(frozen=True, slots=True)
class Node:
    """What shows of the axillary node of a side: latents as in `Axilla`."""

    density: float
    cortex: float
    hilum: float


@dataclass(frozen=True)
class Patient:
    """One synthetic patient; `axillae` and `outcomes` have an entry for each diseased side."""

    seed: int
    patient_id: str
    issuer: str
    name: str
    diagnosed_on: date
    birth_date: date
    anatomy: Anatomy
    biology: Biology
    axillae: Mapping[str, Axilla]
    outcomes: Mapping[str, bool]
    facts: Mapping[str, FactValue]

    @property
    def side(self) -> str:
        """L, R, or B for both, as the clinical facts say it."""
        return "B" if len(self.axillae) > 1 else next(iter(self.axillae))

    def random(self, *parts: str) -> np.random.Generator:
        """Return this patient's own random generator for what `parts` name."""
        return generator(self.seed, self.issuer, self.patient_id, *parts)

    def node(self, side: str) -> Node:
        """Return the latents of a side's node; those of a healthy side are always calm."""
        if side in self.axillae:
            axilla = self.axillae[side]
            return Node(axilla.node_density, axilla.cortex, axilla.hilum)
        return Node(*(-1.3 + 0.2 * self.random("calm", side).standard_normal(3)).tolist())


def patient(
    seed: int,
    patient_id: str,
    *,
    issuer: str = ISSUER,
    name: str = "",
    sides: Sequence[str] = ("L",),
    axillae: Mapping[str, Axilla] | None = None,
    biology: Biology | None = None,
    diagnosed_on: date = DAY,
) -> Patient:
    """Draw a patient.

    Parameters
    ----------
    seed, patient_id, issuer
        Who she is: the same three always give the same patient.
    name : str
        Patient's Name (0010,0010); "PHANTOM^" and the ID if empty.
    sides : Sequence[str]
        Diseased sides, of L and R. The facts describe the first.
    axillae, biology
        Latents to use instead of drawn ones, for a patient whose risk is wanted high or low.
    diagnosed_on : date
        The day of the diagnosis.

    Raises
    ------
    ValueError
        If a side is neither L nor R, or there is none.
    """
    if not sides or not set(sides) <= {"L", "R"}:
        raise ValueError(f"sides are L and R, these are {tuple(sides)}")
    rng = generator(seed, issuer, patient_id)
    drawn = {side: draw_axilla(rng) for side in ("L", "R")}
    own = {side: (axillae or drawn).get(side, drawn[side]) for side in sides}
    traits = draw_biology(rng)
    traits = biology or traits
    anatomy = Anatomy(1 + 0.07 * float(np.clip(rng.standard_normal(), -2, 2)), *map(float, rng.standard_normal(3)))
    return Patient(
        seed=seed,
        patient_id=patient_id,
        issuer=issuer,
        name=name or f"PHANTOM^{patient_id}",
        diagnosed_on=diagnosed_on,
        birth_date=_birth_date(traits.age, diagnosed_on),
        anatomy=anatomy,
        biology=traits,
        axillae=own,
        outcomes={s: bool(OUTCOME.score(a, traits) + rng.standard_normal() > OUTCOME.cutoff) for s, a in own.items()},
        facts=_facts(traits, own[sides[0]].ultrasound_size, rng),
    )


def size_mm(standardised: float) -> float:
    """Diameter of a mass from its standardised logarithm."""
    return math.exp(LOG_SIZE_MM + SD_LOG_SIZE * standardised)


def _birth_date(age: float, on: date) -> date:
    years = float(np.clip(MEAN_AGE_YEARS + SD_AGE_YEARS * age, 24, 92))
    return on - timedelta(days=round(years * 365.25))


def _facts(biology: Biology, ultrasound: float, rng: np.random.Generator) -> dict[str, FactValue]:
    """Facts as a clinician has them before surgery, by their names in the dictionary of facts."""
    growth, size = biology.proliferation, size_mm(ultrasound)
    er_percent = float(np.clip(70 - 30 * (0.6 * growth + 0.8 * rng.standard_normal()), 0, 100))
    return {
        "size_ultrasound_mm": round(float(np.clip(size, 2, 120)), 1),
        "palpable_tumour": bool(size + 5 * rng.standard_normal() > 15),
        "multifocal": biology.multifocal,
        "lymphovascular_invasion": biology.lymphovascular_invasion,
        "grade": int(np.digitize(0.8 * growth + 0.6 * rng.standard_normal(), (-0.8, 0.5))) + 1,
        "ki67_percent": round(float(np.clip(math.exp(2.9 + 0.6 * growth), 1, 95)), 1),
        "er_percent": float(round(er_percent)),
        "pr_percent": float(round(float(np.clip(er_percent + 15 * rng.standard_normal(), 0, 100)))),
        "her2": str(rng.choice(["negative", "low", "positive"], p=[0.5, 0.35, 0.15])),
        "histological_type": str(rng.choice(["NST", "lobular", "other"], p=[0.78, 0.14, 0.08])),
    }
