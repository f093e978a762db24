"""Synthetic patients with a positive sentinel node, and whether the nodes beyond it are positive too.

The phantom has no second outcome, so one is defined here: the sentinel node stands for the threshold of the score, the
other nodes for a higher one, each with noise of its own.
"""

from typing import Any, Final

import numpy as np

from models.phantom.latents import OUTCOME
from models.phantom.patient import DAY, Patient, patient
from models.phantom.ultrasound import cortex_mm
from models.tables.table import NODE_READING, Fact, Table

FURTHER: Final = 1.2
"""How much higher than the sentinel's the threshold of the other nodes lies, in standard deviations of the noise."""
READING_ERROR: Final = 0.15  # of the cortex as measured: standard deviation of its logarithm
HILUM_CUTS: Final = (0.3, 1.2)  # of the latent, as a reader without error places them

_FACTS: Final = (
    Fact("age", "years", 18, 110),
    Fact("size_ultrasound_mm", "mm", 1, 200, log=True),
    Fact("grade", "Nottingham grade", 1, 3),
    Fact("ki67_percent", "%", 0, 100, log=True),
    Fact("er_percent", "%", 0, 100),
    Fact("pr_percent", "%", 0, 100),
    Fact("multifocal", values=("False", "True")),
    Fact("lymphovascular_invasion", values=("False", "True")),
    Fact("her2", values=("negative", "low", "positive")),
    Fact("histological_type", values=("NST", "lobular", "other")),
    Fact("aus_cortex_mm", "mm", 0, 30, log=True, group=NODE_READING),
    Fact("aus_hilum", values=("present", "displaced", "absent"), group=NODE_READING),
)


def sentinel_positive(count: int, seed: int) -> Table:
    """Return synthetic patients whose axilla is positive, as a table whose label is a further threshold."""
    rng, tried = np.random.default_rng(seed), 0
    rows: list[list[float]] = []
    labels: list[bool] = []
    names: list[str] = []
    while len(rows) < count:
        one, tried = patient(seed, f"N{tried}"), tried + 1
        if one.outcomes["L"]:
            rows.append(_values(one, rng))
            score = OUTCOME.score(one.axillae["L"], one.biology)
            labels.append(score + rng.standard_normal() > OUTCOME.cutoff + FURTHER)
            names.append(one.patient_id)
    return Table(
        name="phantom",
        patients=tuple(names),
        facts=_FACTS,
        values=np.array(rows),
        labels=np.array(labels),
        label="metastasis beyond a positive sentinel node, synthetic",
        licence="made here",
        outside_training=True,
        forbidden={},
    )


def _values(one: Patient, rng: np.random.Generator) -> list[float]:
    axilla = one.axillae["L"]
    said: dict[str, Any] = dict(one.facts) | {
        "age": (DAY - one.birth_date).days / 365.25,
        "aus_cortex_mm": cortex_mm(axilla.cortex) * np.exp(READING_ERROR * rng.standard_normal()),
        "aus_hilum": ("present", "displaced", "absent")[int(np.digitize(axilla.hilum, HILUM_CUTS))],
    }
    return [float(f.values.index(str(said[f.name])) if f.is_category else said[f.name]) for f in _FACTS]
