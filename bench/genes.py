"""python -m bench.genes [--genes N ...] [--plot FILE.png]: what the gene Transformer costs from 500 to 20,000 genes.

Each size runs in a process of its own, on one thread: processor time and peak memory of a training step and of a
prediction over a batch of patients, by patient, and the multiplications that torch counts. The last line is JSON, with
the exponent of growth of each (1 is linear, 2 is what attention among all genes would cost), between the two largest
sizes and over all of them.
"""

import argparse
import json
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

GENES: Final = (500, 1000, 2000, 5000, 10_000, 20_000)
PATIENTS: Final = 32
FACTS: Final = 10
SYSTEMS: Final = ("transformer", "guided")
MEASURES: Final = ("train_ms", "predict_ms", "train_mb", "predict_mb", "multiplications")


@dataclass(frozen=True, slots=True)
class Cost:
    """By patient: times in ms, memory above what the network itself takes in MB."""

    system: str
    genes: int
    train_ms: float
    predict_ms: float
    train_mb: float
    predict_mb: float
    network_mb: float
    multiplications: float


def measure(system: str, genes: int, steps: int) -> Cost:
    """Measure one size in this process, which must be fresh: the peak of memory never falls."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from models.genes.network import GeneTransformer
    from models.genes.settings import GUIDED, PLAIN, Shape

    torch.set_num_threads(1)
    torch.manual_seed(1)

    def batch(patients: int) -> tuple[torch.Tensor, ...]:
        known = torch.rand(patients, genes) > 0.02
        facts = torch.randn(patients, FACTS), torch.zeros(patients, FACTS, dtype=torch.long)
        return torch.randn(patients, genes), known, *facts

    network = GeneTransformer(genes, [2] * FACTS, Shape(GUIDED if system == "guided" else PLAIN))
    weights = sum(weight.numel() for weight in network.parameters()) * 4 / 2**20
    optimiser = torch.optim.AdamW(network.parameters())
    inputs = batch(PATIENTS)

    def predict() -> None:
        with torch.no_grad():
            network(*inputs)

    def train() -> None:
        optimiser.zero_grad()
        network(*inputs).square().mean().backward()
        optimiser.step()

    network(*batch(1))  # what is set up once
    network.eval()
    before = peak_mb()
    predict_ms, predicted = fastest(predict, steps), peak_mb()
    network.train()
    train_ms, trained = fastest(train, steps), peak_mb()
    with FlopCounterMode(display=False) as counted:
        predict()
    return Cost(
        system,
        genes,
        train_ms / PATIENTS,
        predict_ms / PATIENTS,
        max(trained - before - 4 * weights, 0) / PATIENTS,  # gradients, two moments, and a step's own copy
        (predicted - before) / PATIENTS,
        weights,
        counted.get_total_flops() / 2 / PATIENTS,
    )


def fastest(step: Any, steps: int) -> float:
    """Return the processor time of the fastest of some steps in ms: what else runs on the machine only adds."""
    times = []
    for _ in range(steps):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def peak_mb() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def exponents(costs: list[Cost]) -> dict[str, float]:
    """Fit the power of genes by which each measure grows; where the smallest sizes cost next to nothing it is lower."""
    logs = np.log([cost.genes for cost in costs])
    found = {}
    for name in MEASURES:
        values = np.array([max(float(getattr(cost, name)), 1e-6) for cost in costs])
        found[name] = float(np.polyfit(logs, np.log(values), 1)[0])
        found[f"{name}_largest"] = float(np.log(values[-1] / values[-2]) / (logs[-1] - logs[-2]))
    return {name: round(value, 2) for name, value in found.items()}


def plot(costs: list[Cost], path: Path) -> None:
    """Draw time and memory against genes on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axis, (name, title) in zip(
        axes, (("train_ms", "a training step, ms a patient"), ("train_mb", "memory, MB a patient")), strict=True
    ):
        for system in SYSTEMS:
            own = [cost for cost in costs if cost.system == system]
            axis.loglog([c.genes for c in own], [getattr(c, name) for c in own], marker="o", label=system)
        first = costs[0]
        line = [getattr(first, name) * cost.genes / first.genes for cost in costs if cost.system == first.system]
        axis.loglog([c.genes for c in costs if c.system == first.system], line, "k:", label="linear")
        axis.set(xlabel="genes", title=title)
        axis.legend()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure every size and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.genes", description=__doc__)
    parser.add_argument("--genes", type=int, nargs="+", default=list(GENES))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    costs = []
    print(f"{'':<12}{'genes':>7}{'train ms':>10}{'predict ms':>12}{'train MB':>10}{'predict MB':>12}   a patient")
    for system in SYSTEMS:
        for genes in given.genes:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                one = fresh.submit(measure, system, genes, given.steps).result()
            costs.append(one)
            print(
                f"{system:<12}{genes:>7}{one.train_ms:>10.2f}{one.predict_ms:>12.2f}"
                f"{one.train_mb:>10.2f}{one.predict_mb:>12.2f}",
                flush=True,
            )
    if given.plot:
        plot(costs, given.plot)
    grown = {name: exponents([cost for cost in costs if cost.system == name]) for name in SYSTEMS}
    print(json.dumps({"growth": grown, "costs": [{f: getattr(c, f) for f in c.__slots__} for c in costs]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
