"""Cohorts of synthetic patients as arrays, prepared by the code that serving uses."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.core.clinical import ClinicalFacts, Fact
from agent.core.manifest import FactSpec
from agent.preprocess.mammogram import prepare
from agent.preprocess.placement import Placement
from agent.preprocess.tabular import encode
from models.fusion.progress import Progress
from models.fusion.settings import Cohort, Settings
from models.phantom.bayes import SUBSETS, posterior
from models.phantom.ehr import ehr_row
from models.phantom.mammogram import VIEWS, in_pixels, mass_spot, node_spot, render
from models.phantom.patient import Patient, patient

SHARD: Final = 250
CONCEPTS: Final = ("mass size", "spiculation", "node")
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
class Arrays:
    """N patients, one diseased side each, with V = 2 views (CC, MLO)."""

    values: NDArray[np.float32]  # (N, F)
    images: NDArray[np.uint8]  # (N, V, H, W): 255 is 1.0
    concepts: NDArray[np.float32]  # (N, 3): CONCEPTS, standardised
    spots: NDArray[np.float32]  # (N, V, 2, 3): row, column, radius in the tensor of mass and node; radius 0: not there
    positive: NDArray[np.bool_]  # (N,)
    posterior: NDArray[np.float64]  # (N, 4): P(positive) given each of phantom.bayes.SUBSETS

    def __len__(self) -> int:
        return len(self.positive)


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


def encode_facts(someone: Patient, specs: Sequence[FactSpec], on: date | None = None) -> NDArray[np.float32]:
    """Return a patient's facts as the network reads them (F,)."""
    return encode(clinical_facts(someone), specs, on or someone.diagnosed_on).values


def load(cohort: Cohort, specs: Sequence[FactSpec], settings: Settings) -> Arrays:
    """Return a cohort, rendering what an earlier run has not left on disk."""
    bounds = [(a, min(a + SHARD, cohort.patients)) for a in range(0, cohort.patients, SHARD)]
    folder = settings.work / cohort.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{cohort.seed}-{start}-{stop}.npz" for start, stop in bounds]
    missing = [(path, start, stop) for path, (start, stop) in zip(paths, bounds, strict=True) if not path.exists()]
    progress = Progress(f"render {cohort.name}", len(paths), skipped=len(paths) - len(missing))
    done = len(paths) - len(missing)
    with ProcessPoolExecutor(settings.processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(write_shard, p, cohort, (a, b), tuple(specs), settings) for p, a, b in missing]
        for job in as_completed(jobs):
            job.result()
            done += 1
            progress.show(done)
    return _join([_read(path) for path in paths])


def write_shard(
    path: Path, cohort: Cohort, bounds: tuple[int, int], specs: tuple[FactSpec, ...], settings: Settings
) -> None:
    """Render the patients of a cohort from `bounds[0]` to `bounds[1]` and write them whole or not at all."""
    arrays = to_arrays(draw(cohort, *bounds), specs, settings)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **{f.name: getattr(arrays, f.name) for f in fields(Arrays)})
    partial.rename(path)


def to_arrays(patients: Sequence[Patient], specs: Sequence[FactSpec], settings: Settings) -> Arrays:
    """Prepare patients, each with one diseased side."""
    views = [[_view(p, p.side, view, settings) for view in VIEWS] for p in patients]
    axillae = [p.axillae[p.side] for p in patients]
    return Arrays(
        values=np.stack([encode_facts(p, specs) for p in patients]),
        images=np.stack([[np.round(image * 255) for image, _ in pair] for pair in views]).astype(np.uint8),
        concepts=np.array([(a.size, a.spiculation, a.node) for a in axillae], np.float32),
        spots=np.array([[spots for _, spots in pair] for pair in views], np.float32),
        positive=np.array([p.outcomes[p.side] for p in patients]),
        posterior=np.array(
            [[posterior(s, p.axillae[p.side], p.biology, p.ultrasound) for s in SUBSETS] for p in patients]
        ),
    )


def _view(someone: Patient, side: str, view: str, settings: Settings) -> tuple[NDArray[np.float32], Any]:
    """One view's tensor, and where mass and node lie in it."""
    shape = settings.render_rows, settings.render_columns
    pixels = render(someone, side, view, *shape)
    tensor, placement = prepare(pixels, inverted=False, **settings.preprocessing)  # type: ignore[arg-type]
    mass = in_tensor(placement, *in_pixels(mass_spot(someone, side, view), side, *shape))
    node = in_tensor(placement, *in_pixels(node_spot(someone, side), side, *shape)) if view == "MLO" else (0.0,) * 3
    return tensor, (mass, node)


def in_tensor(placement: Placement, row: float, column: float, radius: float) -> tuple[float, float, float]:
    """Where a point of the source image, and a length there, come to lie in the tensor."""
    scale = placement.placed.height / placement.crop.height
    across = placement.placed.width / placement.crop.width
    upright = placement.source_shape[1] - column if placement.flipped else column
    return (
        placement.placed.top + (row - placement.crop.top) * scale,
        placement.placed.left + (upright - placement.crop.left) * across,
        radius * scale,
    )


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as data:
        return Arrays(**{f.name: data[f.name] for f in fields(Arrays)})


def _join(parts: Sequence[Arrays]) -> Arrays:
    return Arrays(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Arrays)})


def _rounded(x: float) -> float:
    return round(float(x), 4)
