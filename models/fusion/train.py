"""Training in two stages: encoders learn concepts, then the evidence learns the outcome on images new to them."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from agent.core.manifest import FactSpec
from models.fusion import data
from models.fusion.calibrate import calibrate
from models.fusion.describe import describe
from models.fusion.encoder import ImageEncoder
from models.fusion.network import FusionNetwork
from models.fusion.parallel import spread
from models.fusion.settings import Imaging, Settings
from models.fusion.train_encoder import train_encoder, write
from models.fusion.train_heads import train_heads


def train(settings: Settings) -> Path:
    """Train everything and return the checkpoint; a run that was stopped goes on where it was."""
    started = time.monotonic()
    specs = data.fact_specs(data.draw(settings.encoder, 0, settings.encoder.patients))
    render(settings)
    torch.manual_seed(settings.seed)
    network = FusionNetwork(settings)
    costliest_first = sorted(range(len(settings.imaging)), key=lambda i: -settings.imaging[i].cost)
    jobs = [(settings.imaging[i], settings) for i in costliest_first]
    for job, path in spread(train_one, jobs, settings.processes):
        kept = torch.load(path, weights_only=True)
        network.encoders[costliest_first[job]].load_state_dict(kept["encoder"])
    network.eval()
    heads, validation = (data.load_table(c, specs) for c in (settings.heads, settings.validation))
    seen = [describe(network.encoders, c, settings) for c in (settings.heads, settings.validation)]
    torch.set_num_threads(1)  # the heads are too small to share out
    told = data.load_table(settings.encoder, specs)
    train_heads(network.evidence, heads, seen[0], told, settings)
    calibrate(network, heads, seen[0].full, validation, seen[1].full)
    path = settings.work / "network.pt"
    save(path, network, specs, {"seconds": round(time.monotonic() - started)})
    return path


def render(settings: Settings) -> None:
    """Put the images of all cohorts on disk, before anything learns."""
    for cohort in settings.cohorts:
        for one in settings.imaging:
            data.shards(cohort, one, settings)


def train_one(imaging: Imaging, settings: Settings) -> Path:
    """Train the encoder of one modality in this process; returns its checkpoint."""
    torch.set_num_threads(1)  # encoders train side by side, a processor each
    torch.manual_seed(settings.seed)
    pictures = data.join([data.read(path) for path in data.shards(settings.encoder, imaging, settings)])
    return train_encoder(ImageEncoder(imaging, settings.sizes.concept_hidden), pictures, imaging, settings)


def save(path: Path, network: FusionNetwork, specs: tuple[FactSpec, ...], summary: dict[str, Any]) -> None:
    """Keep a trained network with its facts and a summary of its training."""
    write(path, {"network": network.state_dict(), "facts": [asdict(s) for s in specs], "summary": summary})


def restore(path: Path, settings: Settings) -> tuple[FusionNetwork, tuple[FactSpec, ...], dict[str, Any]]:
    """Return what `save` kept."""
    kept = torch.load(path, weights_only=True)
    network = FusionNetwork(settings)
    network.load_state_dict(kept["network"])
    specs = tuple(FactSpec(**f | {"values": tuple(f["values"])}) for f in kept["facts"])
    return network.eval(), specs, kept["summary"]
