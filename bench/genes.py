"""python -m bench.genes [--genes N ...] [--plot FILE.png]: what the gene Transformer costs from 500 to 20,000 genes.

Processor time on one thread and peak memory, by patient, of a training step and of a prediction over a batch, and the
multiplications that torch counts. Each size is measured in fresh processes; the least of each counts. The last line is
JSON, with the power of genes by which each grows (1 is linear, 2 is what attention among all genes would cost) over all
sizes and over those from 2,000 on, where what does not depend on genes matters little.
"""

import argparse
import ctypes
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

GENES: Final = (500, 1000, 2000, 5000, 10_000, 20_000)
PATIENTS: Final = 32
FACTS: Final = 10
SYSTEMS: Final = ("transformer", "guided")
MEASURES: Final = ("train_ms", "predict_ms", "train_mb", "predict_mb", "multiplications")
MANY: Final = 2000  # genes from which on growth is judged apart
MB: Final = 2**20
_STATUS: Final = Path("/proc/self/status")
_FORGET_PEAK: Final = ("/proc/self/clear_refs", "5")  # proc(5)
_MMAP_THRESHOLD: Final = -3  # of mallopt(3)


@dataclass(frozen=True, slots=True)
class Cost:
    """By patient: times in ms, memory above what is there before in MB."""

    system: str
    genes: int
    train_ms: float
    predict_ms: float
    train_mb: float
    predict_mb: float
    multiplications: float


def steps_of(system: str, genes: int) -> dict[str, Callable[[], None]]:
    """Return a prediction and a training step of a batch, by name."""
    import torch

    from models.genes.network import GeneTransformer
    from models.genes.settings import GUIDED, PLAIN, Shape

    torch.set_num_threads(1)
    torch.manual_seed(1)
    facts = torch.randn(PATIENTS, FACTS), torch.zeros(PATIENTS, FACTS, dtype=torch.long)
    inputs = torch.randn(PATIENTS, genes), torch.rand(PATIENTS, genes) > 0.02, *facts
    network = GeneTransformer(genes, [2] * FACTS, Shape(GUIDED if system == "guided" else PLAIN))
    optimiser = torch.optim.AdamW(network.parameters())

    def predict() -> None:
        network.eval()
        with torch.no_grad():
            network(*inputs)

    def train() -> None:
        network.train()
        optimiser.zero_grad(set_to_none=False)
        network(*inputs).square().mean().backward()
        optimiser.step()

    return {"predict": predict, "train": train}


def measure(system: str, genes: int, repeats: int) -> Cost:
    """Measure one size in this process, memory first."""
    from torch.utils.flop_counter import FlopCounterMode

    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_THRESHOLD, 2**16)  # what is freed goes back at once, and is not used again unseen
    steps = steps_of(system, genes)
    memory = {name: megabytes(step) / PATIENTS for name, step in steps.items()}
    mallopt(_MMAP_THRESHOLD, 2**25)
    times = {name: milliseconds(step, repeats) / PATIENTS for name, step in steps.items()}
    with FlopCounterMode(display=False) as counted:
        steps["predict"]()
    multiplications = counted.get_total_flops() / 2 / PATIENTS
    return Cost(system, genes, times["train"], times["predict"], memory["train"], memory["predict"], multiplications)


def milliseconds(step: Callable[[], None], repeats: int) -> float:
    """Return the processor time of the fastest of some steps in ms: what else runs on the machine only adds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def megabytes(step: Callable[[], None]) -> float:
    """Return what a step holds at its peak above what is there before it, gradients and the optimiser's moments."""
    step()
    path, word = _FORGET_PEAK
    Path(path).write_text(word)
    before = held("VmRSS")
    step()
    return max(held("VmHWM") - before, 0) / MB


def held(which: str) -> int:
    """Return the bytes that this process holds (VmRSS) or has held at most (VmHWM)."""
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(f"{which}:"))
    return 1024 * int(line.split()[1])


def least(system: str, genes: int, repeats: int, processes: int) -> Cost:
    """Measure one size in some fresh processes, one after the other."""
    found = []
    for _ in range(processes):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            found.append(fresh.submit(measure, system, genes, repeats).result())
    return Cost(system, genes, *(min(getattr(one, name) for one in found) for name in MEASURES))


def exponents(costs: list[Cost]) -> dict[str, float]:
    """Fit the power of genes by which each measure grows, over all sizes and over those with many genes."""
    found = {}
    for name in MEASURES:
        found[name] = _power(costs, name)
        found[f"{name}_many"] = _power([cost for cost in costs if cost.genes >= MANY], name)
    return found


def _power(costs: list[Cost], name: str) -> float:
    if len(costs) < 2:
        return float("nan")
    values = [max(float(getattr(cost, name)), 1e-6) for cost in costs]
    return round(float(np.polyfit(np.log([cost.genes for cost in costs]), np.log(values), 1)[0]), 2)


def plot(costs: list[Cost], path: Path) -> None:
    """Draw time and memory against genes on logarithmic axes, each with its power, as a PNG of few colours."""
    from matplotlib.figure import Figure
    from PIL import Image

    figure, drawn = Figure(figsize=(9, 4), layout="constrained"), BytesIO()
    panels = figure.subplots(1, 2)
    for axis, (name, title) in zip(panels, (("train_ms", "time, ms"), ("train_mb", "peak memory, MB")), strict=True):
        for system in SYSTEMS:
            own = [cost for cost in costs if cost.system == system]
            label = f"{system}: genes to the power {exponents(own)[f'{name}_many']:.2f} from {MANY:,} on"
            axis.loglog([c.genes for c in own], [getattr(c, name) for c in own], marker="o", label=label)
        last = costs[-1]
        ends = np.array([min(c.genes for c in costs), last.genes])
        for power, style, label in ((1, "k:", "linear"), (2, "k--", "square")):
            axis.loglog(ends, 2 * getattr(last, name) * (ends / last.genes) ** power, style, linewidth=1, label=label)
        measured = [getattr(cost, name) for cost in costs]
        axis.set(
            xlabel="genes", title=f"{title} a patient, a training step", ylim=(min(measured) / 2, 30 * max(measured))
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize="small", loc="upper left")
    figure.savefig(drawn, dpi=100)
    Image.open(drawn).convert("RGB").quantize(32).save(path, optimize=True)


def main() -> int:
    """Measure every size and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.genes", description=__doc__)
    parser.add_argument("--genes", type=int, nargs="+", default=list(GENES))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    costs = []
    print(f"{'':<12}{'genes':>7}{'train ms':>10}{'predict ms':>12}{'train MB':>10}{'predict MB':>12}   a patient")
    for system in SYSTEMS:
        for genes in given.genes:
            one = least(system, genes, given.steps, given.processes)
            costs.append(one)
            print(
                f"{system:<12}{genes:>7}{one.train_ms:>10.2f}{one.predict_ms:>12.2f}"
                f"{one.train_mb:>10.2f}{one.predict_mb:>12.2f}",
                flush=True,
            )
    if given.plot:
        plot(costs, given.plot)
    grown = {name: exponents([cost for cost in costs if cost.system == name]) for name in SYSTEMS}
    print(json.dumps({"growth": grown, "costs": [asdict(cost) for cost in costs]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
