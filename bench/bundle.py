"""python -m bench.bundle [--seed N] [--patients N] [--bundle DIR]: what a bundle keeps of the phantom's Bayes excess.

Fresh synthetic patients go through the agent's own preprocessing and engine with each of the 15 subsets of
modalities. Their images are rendered at the size that training renders; what the full size of DICOM changes is measured
by the evaluation. The last line is JSON; a bundle that keeps too little, or is not calibrated, makes it exit with 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.infer.engine import Engine
from models.fusion import data, images
from models.fusion.progress import Progress
from models.fusion.report import name_of, subset_report, summarise
from models.fusion.settings import Cohort, Settings
from models.phantom.bayes import SUBSETS
from models.statistics.calibration import Floats

BUNDLE: Final = Path(__file__).parents[1] / "models" / "bundles" / "aln-demo-2.0.0"
FRESH_SEED: Final = 20261
SHARD: Final = 25
AHEAD: Final = 4  # shards that are rendered while one is scored
PROCESSES: Final = 2
LEAST_OF_ALL: Final = 0.93  # share of the Bayes excess with everything
LEAST_ON_AVERAGE: Final = 0.90  # over the 15 subsets
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Shard:
    """Some patients as the graph reads them, and what is true of them."""

    inputs: Arrays
    positive: NDArray[np.bool_]  # (N,)
    posterior: Floats  # (N, 16)


def bench(folder: Path, seed: int, patients: int, processes: int) -> dict[str, Any]:
    """Score a bundle on fresh patients.

    Parameters
    ----------
    folder : Path
        The bundle's folder.
    seed : int
        Of the patients.
    patients : int
        How many.

    Raises
    ------
    ValueError
        If the bundle was trained, calibrated or evaluated on patients of this seed.
    """
    started, engine = time.monotonic(), Engine.load(folder, "cpu")
    if seed in engine.manifest.training["seeds"].values():
        raise ValueError(f"the bundle knows the patients of seed {seed}: {engine.manifest.training['seeds']}")
    cohort = Cohort("fresh", seed, patients)
    progress, done, parts = Progress("score", patients), 0, []
    for shard in render(engine, cohort, processes):
        parts.append((*score(engine, shard.inputs), shard.posterior, shard.positive))
        done += len(shard.positive)
        progress.show(done)
    logits, deviations, posterior, positive = (np.concatenate(part) for part in zip(*parts, strict=True))
    subsets = {
        name_of(m): subset_report(logits[:, m], deviations[:, m], posterior[:, m], positive, m)
        for m in range(len(SUBSETS))
    }
    return {
        **summarise(subsets),
        "patients": patients,
        "positive": int(positive.sum()),
        "seed": seed,
        "bundle": f"{engine.manifest.name} {engine.manifest.version}",
        "seconds": round(time.monotonic() - started),
        "subset": subsets,
    }


def render(engine: Engine, cohort: Cohort, processes: int) -> Iterator[Shard]:
    """Render a cohort shard after shard, a few ahead of what is asked for."""
    bounds = iter([(a, min(a + SHARD, cohort.patients)) for a in range(0, cohort.patients, SHARD)])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[Shard]] = [
            pool.submit(prepare, engine.manifest.facts, cohort, b) for b in islice(bounds, processes + AHEAD)
        ]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(prepare, engine.manifest.facts, cohort, b) for b in islice(bounds, 1)]


def prepare(specs: Any, cohort: Cohort, bounds: tuple[int, int]) -> Shard:
    """Render some patients of a cohort and prepare them as serving does."""
    patients = data.draw(cohort, *bounds)
    table = data.table(patients, specs)
    inputs: Arrays = {"clinical": table.values, "clinical_present": np.ones_like(table.values)}
    for one in Settings().imaging:
        pixels = np.stack([images.prepare(p, p.side, one)[0] for p in patients])
        inputs |= {one.tensor: pixels, f"{one.tensor}_present": np.ones(pixels.shape[:2], np.float32)}
    return Shard(inputs, table.positive, table.posterior)


def score(engine: Engine, inputs: Mapping[str, NDArray[Any]]) -> tuple[Floats, Floats]:
    """Return logit and deviation of every patient given each subset (N, 16)."""
    answers = [engine.run(only(inputs, mask)) for mask in range(len(SUBSETS))]
    logits, deviations = (np.stack([a[name] for a in answers], 1) for name in ("logit", "logit_sd"))
    return logits.astype(np.float64), deviations.astype(np.float64)


def only(inputs: Mapping[str, NDArray[Any]], mask: int) -> Arrays:
    """Keep the modalities of a subset; of each other one a single empty image is left, marked as absent."""
    kept, present = dict(inputs), [name for name in inputs if name.endswith("_present")]
    for bit, name in enumerate(present):
        if not mask >> bit & 1:
            value = name.removesuffix("_present")
            width = inputs[value].shape[1] if bit == 0 else 1
            kept |= {n: np.zeros_like(inputs[n][:, :width]) for n in (name, value)}
    return kept


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.bundle", description=__doc__)
    parser.add_argument("--seed", type=int, default=FRESH_SEED)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    given = parser.parse_args()
    try:
        found = bench(given.bundle, given.seed, given.patients, PROCESSES)
    except ValueError as exc:
        parser.error(str(exc))
    for name, one in found["subset"].items():
        if "auc" in one:
            share = one["share_of_excess_of_these_patients"]["value"]
            print(f"{name:<20} AUC {one['auc']['value']:.3f}  share of the excess {share:.3f}  ECE {one['ece']:.3f}")
    print(json.dumps(found))
    sys.exit(0 if is_enough(found) else 1)


def is_enough(found: Mapping[str, Any]) -> bool:
    """Whether a bundle keeps what it should of the excess, and is calibrated within what luck shows."""
    kept = found["share_of_excess_all"] >= LEAST_OF_ALL and found["share_of_excess_mean"] >= LEAST_ON_AVERAGE
    return bool(kept and found["ece_within_range"])


if __name__ == "__main__":
    main()
