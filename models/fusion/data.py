"""Cohorts of synthetic patients as arrays on disk: what is told, what is shown, and what only the phantom knows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.core.clinical import ClinicalFacts, Fact
from agent.core.manifest import FactSpec
from agent.preprocess.tabular import encode
from models.fusion.images import prepare
from models.fusion.origin import origin
from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.fusion.settings import Cohort, Imaging, Settings
from models.phantom.bayes import posteriors
from models.phantom.ehr import ehr_row
from models.phantom.patient import Patient, patient

SHARD: Final = 125
# the facts that the bundle uses; means, deviations and ranges come from the training patients
FACTS: Final = (
    FactSpec("age", "years"),
    FactSpec("size_ultrasound_mm", "mm"),
    FactSpec("grade", "Nottingham grade"),
    FactSpec("ki67_percent", "%"),
    FactSpec("lymphovascular_invasion", "bool"),
    FactSpec("multifocal", "bool"),
    FactSpec("palpable_tumour", "bool"),
    FactSpec("er_percent", "%"),
)


@dataclass(frozen=True)
class Table:
    """What is told of N patients, one diseased side each, and what came of it."""

    values: NDArray[np.float32]  # (N, F)
    positive: NDArray[np.bool_]  # (N,)
    posterior: NDArray[np.float64]  # (N, 16): P(positive) given each of phantom.bayes.SUBSETS

    def __len__(self) -> int:
        return len(self.positive)


@dataclass(frozen=True)
class Pictures:
    """What one modality shows of N patients."""

    images: NDArray[np.uint8]  # (N, I, C, H, W): 255 is 1.0
    places: NDArray[np.float32]  # (N, I, K, 3): row, column, radius in the tensor of each finding; radius 0: not there
    concepts: NDArray[np.float32]  # (N, concepts), standardised

    def __len__(self) -> int:
        return len(self.images)


Kept = TypeVar("Kept", Table, Pictures)


def draw(cohort: Cohort, start: int, stop: int) -> list[Patient]:
    """Draw the patients of a cohort from `start` to `stop`; every other one is diseased on the right."""
    return [patient(cohort.seed, f"{cohort.name}-{i}", sides=("LR"[i % 2],)) for i in range(start, stop)]


def clinical_facts(someone: Patient) -> ClinicalFacts:
    """Return a patient's facts as the agent has them."""
    row = {k: v for k, v in ehr_row(someone).items() if v is not None}
    return ClinicalFacts({name: Fact(value, someone.diagnosed_on) for name, value in row.items()})


def fact_specs(patients: Sequence[Patient]) -> tuple[FactSpec, ...]:
    """Complete FACTS with what is usual among `patients`."""
    raw = np.stack([encode(clinical_facts(p), FACTS, p.diagnosed_on).values for p in patients])
    return tuple(
        replace(
            spec, mean=_rounded(v.mean()), sd=_rounded(v.std()) or 1.0, low=_rounded(v.min()), high=_rounded(v.max())
        )
        for spec, v in zip(FACTS, raw.T, strict=True)
    )


def table(patients: Sequence[Patient], specs: Sequence[FactSpec]) -> Table:
    """Tabulate patients, each with one diseased side."""
    return Table(
        values=np.stack([encode(clinical_facts(p), specs, p.diagnosed_on).values for p in patients]),
        positive=np.array([p.outcomes[p.side] for p in patients]),
        posterior=np.array([posteriors(p.axillae[p.side], p.biology) for p in patients]),
    )


def pictures(patients: Sequence[Patient], imaging: Imaging) -> Pictures:
    """Render and prepare the images of patients, each with one diseased side."""
    pairs = [prepare(p, p.side, imaging) for p in patients]
    return Pictures(
        images=np.stack([np.round(images * 255).astype(np.uint8) for images, _ in pairs]),
        places=np.stack([places for _, places in pairs]),
        concepts=np.array([[getattr(p.axillae[p.side], c) for c in imaging.concepts] for p in patients], np.float32),
    )


def load_table(cohort: Cohort, specs: Sequence[FactSpec]) -> Table:
    """Tabulate a whole cohort."""
    return table(draw(cohort, 0, cohort.patients), specs)


def shards(cohort: Cohort, imaging: Imaging, settings: Settings) -> list[Path]:
    """Return the files that hold a cohort's images, rendering what an earlier run has not left on disk."""
    bounds = [(a, min(a + SHARD, cohort.patients)) for a in range(0, cohort.patients, SHARD)]
    folder = settings.work / cohort.name
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{imaging.name}-{cohort.seed}-{origin(imaging)}"
    paths = [folder / f"{name}-{start}-{stop}.npz" for start, stop in bounds]
    missing = [(path, bound) for path, bound in zip(paths, bounds, strict=True) if not path.exists()]
    done = len(paths) - len(missing)
    progress = Progress(f"render {imaging.name} {cohort.name}", len(paths), skipped=done)
    jobs = [(path, cohort, bound, imaging) for path, bound in missing]
    for finished, _ in enumerate(spread(write_shard, jobs, settings.processes), start=done + 1):
        progress.show(finished)
    return paths


def write_shard(path: Path, cohort: Cohort, bounds: tuple[int, int], imaging: Imaging) -> None:
    """Render the patients of a cohort from `bounds[0]` to `bounds[1]` and write them whole or not at all."""
    found = pictures(draw(cohort, *bounds), imaging)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **{f.name: getattr(found, f.name) for f in fields(Pictures)})
    partial.rename(path)


def read(path: Path) -> Pictures:
    """Read one shard."""
    with np.load(path, allow_pickle=False) as kept:
        return Pictures(**{f.name: kept[f.name] for f in fields(Pictures)})


def join(parts: Sequence[Kept]) -> Kept:
    """Put cohorts, or parts of one, one after the other."""
    first = parts[0]
    joined: dict[str, Any] = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(first)}
    return type(first)(**joined)


def _rounded(x: float) -> float:
    return round(float(x), 4)
