"""Training in two stages: the encoder learns concepts, then the evidence learns the outcome on images new to it."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agent.core.manifest import FactSpec
from models.fusion import data
from models.fusion.calibrate import calibrate
from models.fusion.data import Arrays
from models.fusion.network import Evidence, FusionNetwork, MammogramEncoder, presence
from models.fusion.progress import Progress
from models.fusion.settings import Settings

VIEW_CHOICES = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))  # both views, CC alone, MLO alone


@dataclass(frozen=True)
class Concepts:
    """What the encoder makes of a cohort for each of VIEW_CHOICES: (3, N, 3)."""

    by_views: Tensor


def train(settings: Settings) -> Path:
    """Train everything and return the checkpoint; a run that was stopped goes on where it was."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.processes)
    started = time.monotonic()
    specs = data.fact_specs(data.draw(settings.encoder, 0, settings.encoder.patients))
    network = FusionNetwork(settings.sizes)
    train_encoder(network.encoder, data.load(settings.encoder, specs, settings), settings)
    network.eval()
    heads = data.load(settings.heads, specs, settings)
    heads_concepts = describe(network.encoder, heads, "heads")
    torch.set_num_threads(1)  # the heads are too small to share out
    train_heads(network.evidence, heads, heads_concepts, settings)
    torch.set_num_threads(settings.processes)
    validation = data.load(settings.validation, specs, settings)
    validation_concepts = describe(network.encoder, validation, "validation")
    calibrate(network, heads, heads_concepts.by_views[0], validation, validation_concepts.by_views[0])
    path = settings.work / "network.pt"
    save(path, network, specs, {"seconds": round(time.monotonic() - started)})
    return path


def train_encoder(encoder: MammogramEncoder, cohort: Arrays, settings: Settings) -> None:
    """Teach the encoder concepts and places, with views left out at random."""
    optimiser = torch.optim.AdamW(encoder.parameters(), settings.encoder_rate, weight_decay=settings.weight_decay)
    steps = -(-len(cohort) // settings.encoder_batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.encoder_rate, total_steps=steps * settings.encoder_epochs
    )
    checkpoint = settings.work / "encoder.pt"
    first = _resume(checkpoint, encoder, optimiser, schedule, settings)
    progress = Progress("train encoder", steps * settings.encoder_epochs, skipped=steps * first)
    encoder.train()
    for epoch in range(first, settings.encoder_epochs):
        rng = np.random.default_rng([settings.seed, epoch])
        for step, batch in enumerate(_batches(len(cohort), settings.encoder_batch, rng), start=1):
            optimiser.zero_grad()
            loss = encoder_loss(encoder, cohort, batch, rng)
            loss.backward()
            optimiser.step()
            schedule.step()
            progress.show(epoch * steps + step, f"loss {loss.item():.3f}")
        state = {"epoch": epoch + 1, "made_by": _encoder_settings(settings)}
        parts = {"encoder": encoder, "optimiser": optimiser, "schedule": schedule}
        _write(checkpoint, state | {name: part.state_dict() for name, part in parts.items()})
    encoder.eval()


def encoder_loss(
    encoder: MammogramEncoder, cohort: Arrays, batch: "np.ndarray[Any, np.dtype[np.intp]]", rng: np.random.Generator
) -> Tensor:
    """Squared error of the concepts plus cross-entropy of the places of the findings."""
    images = torch.from_numpy(cohort.images[batch]).float()[:, :, None] / 255  # (B, V, 1, H, W)
    gamma = torch.from_numpy(rng.uniform(0.85, 1.2, (len(batch), 1, 1, 1, 1)).astype(np.float32))
    choice = rng.choice(len(VIEW_CHOICES), len(batch), p=(0.7, 0.15, 0.15))
    present = torch.tensor(VIEW_CHOICES)[torch.from_numpy(choice)]
    concepts, gates = encoder((images + 1e-4) ** gamma, present)
    target = torch.from_numpy(cohort.concepts[batch])
    places = places_of(cohort.spots[batch], (images.shape[-2], images.shape[-1]), (gates.shape[-2], gates.shape[-1]))
    weight = 1 + 9 * places
    return functional.mse_loss(concepts, target) + 3 * functional.binary_cross_entropy_with_logits(
        gates, places, weight
    )


def places_of(spots: "np.ndarray[Any, np.dtype[np.float32]]", tensor: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Draw discs: how much each cell of `grid` belongs to each finding, (B, V, K, h, w) in [0, 1]."""
    row, column, radius = (torch.from_numpy(spots[..., i])[..., None, None] for i in range(3))
    cell = tensor[0] / grid[0]
    rows = ((torch.arange(grid[0]) + 0.5) * cell)[:, None]
    columns = (torch.arange(grid[1]) + 0.5) * (tensor[1] / grid[1])
    distance = torch.sqrt((rows - row) ** 2 + (columns - column) ** 2)
    disc = torch.sigmoid((radius - distance) / (0.25 * cell)).maximum(torch.exp(-((distance / (0.6 * cell)) ** 2)))
    return disc * (radius > 0)


def describe(encoder: MammogramEncoder, cohort: Arrays, name: str, batch: int = 50) -> Concepts:
    """Return the encoder's concepts of a cohort for every choice of views."""
    parts = []
    progress = Progress(f"describe {name}", len(cohort))
    with torch.no_grad():
        for start in range(0, len(cohort), batch):
            images = torch.from_numpy(cohort.images[start : start + batch]).float()[:, :, None] / 255
            count, views = images.shape[:2]
            features = encoder.backbone(images.flatten(0, 1))
            gates = encoder.attention(features).unflatten(0, (count, views))
            features = features.unflatten(0, (count, views))
            chosen = [encoder.pool(features, gates, torch.tensor(v).expand(count, 2)) for v in VIEW_CHOICES]
            parts.append(torch.stack(chosen))
            progress.show(min(start + batch, len(cohort)))
    return Concepts(torch.cat(parts, 1))


def train_heads(evidence: Evidence, cohort: Arrays, concepts: Concepts, settings: Settings) -> None:
    """Teach prior and evidence the outcome, with modalities, views and facts left out at random."""
    optimiser = torch.optim.AdamW(evidence.parameters(), settings.heads_rate, weight_decay=0.02)
    values, positive = torch.from_numpy(cohort.values), torch.from_numpy(cohort.positive).float()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.heads_epochs)
    progress = Progress("train heads", settings.heads_epochs)
    evidence.train()
    for epoch in range(settings.heads_epochs):
        rng = np.random.default_rng([settings.seed, 1, epoch])
        for batch in _batches(len(cohort), 100, rng):
            optimiser.zero_grad()
            known, seen, views = drop(rng, len(batch), values.shape[1])
            chosen = concepts.by_views[views, torch.from_numpy(batch)]
            pieces, _ = evidence(values[batch], known, chosen, presence(known, seen))
            loss = functional.binary_cross_entropy_with_logits(pieces.sum(1), positive[batch])
            loss.backward()
            optimiser.step()
        schedule.step()
        progress.show(epoch + 1, f"loss {loss.item():.3f}")
    evidence.eval()


def drop(rng: np.random.Generator, count: int, facts: int) -> tuple[Tensor, Tensor, Tensor]:
    """Leave out modalities, facts and views at random: known facts (B, F), seen views (B, 2), index of the views."""
    kept = rng.choice(4, count, p=(0.05, 0.25, 0.25, 0.45))  # nothing, facts, images, both
    some = np.where(rng.random((count, 1)) < 0.6, 1.0, rng.random((count, facts)) < 0.7)
    known = some * (kept % 2 == 1)[:, None]
    views = rng.choice(len(VIEW_CHOICES), count, p=(0.7, 0.15, 0.15))
    seen = np.array(VIEW_CHOICES)[views] * (kept >= 2)[:, None]
    return torch.from_numpy(known).float(), torch.from_numpy(seen).float(), torch.from_numpy(views)


def save(path: Path, network: FusionNetwork, specs: tuple[FactSpec, ...], summary: dict[str, Any]) -> None:
    """Keep a trained network with its facts and a summary of its training."""
    _write(path, {"network": network.state_dict(), "facts": [asdict(s) for s in specs], "summary": summary})


def restore(path: Path, settings: Settings) -> tuple[FusionNetwork, tuple[FactSpec, ...], dict[str, Any]]:
    """Return what `save` kept."""
    kept = torch.load(path, weights_only=True)
    network = FusionNetwork(settings.sizes)
    network.load_state_dict(kept["network"])
    specs = tuple(FactSpec(**f | {"values": tuple(f["values"])}) for f in kept["facts"])
    return network.eval(), specs, kept["summary"]


def _resume(path: Path, encoder: nn.Module, optimiser: Any, schedule: Any, settings: Settings) -> int:
    """Load the last finished epoch of a run with the same settings; return how many are done."""
    if not path.exists():
        return 0
    kept = torch.load(path, weights_only=True)
    if kept["made_by"] != _encoder_settings(settings):
        return 0
    for part, name in ((encoder, "encoder"), (optimiser, "optimiser"), (schedule, "schedule")):
        part.load_state_dict(kept[name])
    return int(kept["epoch"])


def _encoder_settings(settings: Settings) -> str:
    """Everything on which the trained encoder depends."""
    everything = asdict(settings)
    names = ("sizes", "encoder", "render_rows", "render_columns", "seed", "weight_decay")
    return repr({k: v for k, v in everything.items() if k in names or k.startswith("encoder_")})


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.rename(path)


def _batches(count: int, size: int, rng: np.random.Generator) -> Iterator["np.ndarray[Any, np.dtype[np.intp]]"]:
    order = rng.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]
