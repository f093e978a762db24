"""Teach an image encoder the concepts and places of its findings; it never sees an outcome."""

import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.fusion.data import Pictures
from models.fusion.encoder import ImageEncoder
from models.fusion.origin import origin
from models.fusion.progress import Progress
from models.fusion.settings import Imaging, Settings

ALL_SHOWN = 0.7  # share of the training patients of whom no image is left out


def train_encoder(encoder: ImageEncoder, cohort: Pictures, imaging: Imaging, settings: Settings) -> Path:
    """Teach one encoder, with images left out at random, and return its checkpoint; a stopped run goes on there."""
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch does not state this one
    optimiser = torch.optim.AdamW(encoder.parameters(), settings.encoder_rate, weight_decay=settings.weight_decay)
    steps = -(-len(cohort) // imaging.batch)
    total = steps * imaging.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.encoder_rate, total_steps=total)
    checkpoint = settings.work / f"{imaging.tensor}.pt"
    made_by = _settings_of(imaging, settings)
    first = _resume(checkpoint, encoder, optimiser, schedule, made_by)
    progress = Progress(f"train {imaging.name} encoder", total, skipped=steps * first)
    encoder.train()
    for epoch in range(first, imaging.epochs):
        rng = np.random.default_rng([settings.seed, epoch])
        found, batches = [], list(batches_of(len(cohort), imaging.batch, rng))
        for step, batch in enumerate(batches, start=1):
            optimiser.zero_grad()
            loss, concepts = encoder_loss(encoder, cohort, batch, imaging, rng)
            loss.backward()
            optimiser.step()
            schedule.step()
            found.append(concepts)
            progress.show(epoch * steps + step, f"loss {loss.item():.3f}")
        r2 = explained(np.concatenate(found), cohort.concepts[np.concatenate(batches)])
        told = ", ".join(f"{name} {x:.2f}" for name, x in zip(imaging.concepts, r2, strict=True))
        progress.say(f"epoch {epoch + 1}/{imaging.epochs}, R² with images left out: {told}")
        state = {"epoch": epoch + 1, "made_by": made_by}
        parts = {"encoder": encoder, "optimiser": optimiser, "schedule": schedule}
        write(checkpoint, state | {name: part.state_dict() for name, part in parts.items()})
    encoder.eval()
    return checkpoint


def encoder_loss(
    encoder: ImageEncoder, cohort: Pictures, batch: NDArray[np.intp], imaging: Imaging, rng: np.random.Generator
) -> tuple[Tensor, NDArray[np.float32]]:
    """Squared error of the concepts plus cross-entropy of the places of the findings; and the concepts found."""
    gamma = rng.uniform(*imaging.gamma)
    images = torch.from_numpy(((np.arange(256) / 255) ** gamma).astype(np.float32)[cohort.images[batch]])
    left = (1 - ALL_SHOWN) / (len(imaging.choices) - 1)
    choice = rng.choice(len(imaging.choices), len(batch), p=[ALL_SHOWN] + [left] * (len(imaging.choices) - 1))
    present = torch.tensor(imaging.choices)[torch.from_numpy(choice)]
    with torch.autocast("cpu", torch.bfloat16, enabled=half_is_quick()):
        features, gates = encoder.look(images)
    features, gates = features.float(), gates.float()
    concepts = encoder.pool(features, gates, present)
    target = torch.from_numpy(cohort.concepts[batch])
    places = places_of(cohort.places[batch], imaging.shape[1:], (gates.shape[-2], gates.shape[-1]))
    found = functional.mse_loss(concepts, target)
    where = functional.binary_cross_entropy_with_logits(gates, places, 1 + 9 * places)
    return found + 3 * where, concepts.detach().numpy()


def places_of(spots: NDArray[np.float32], tensor: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Draw discs: how much each cell of `grid` belongs to each finding, (B, I, K, h, w) in [0, 1]."""
    row, column, radius = (torch.from_numpy(spots[..., i])[..., None, None] for i in range(3))
    cell = tensor[0] / grid[0]
    rows = ((torch.arange(grid[0]) + 0.5) * cell)[:, None]
    columns = (torch.arange(grid[1]) + 0.5) * (tensor[1] / grid[1])
    distance = torch.sqrt((rows - row) ** 2 + (columns - column) ** 2)
    disc = torch.sigmoid((radius - distance) / (0.25 * cell)).maximum(torch.exp(-((distance / (0.6 * cell)) ** 2)))
    return disc * (radius > 0)


def explained(found: NDArray[Any], true: NDArray[Any]) -> list[float]:
    """Squared correlation of each concept with what was drawn."""
    return [float(np.corrcoef(a, b)[0, 1] ** 2) for a, b in zip(found.T, true.T, strict=True)]


def half_is_quick() -> bool:
    """Whether this processor multiplies in bfloat16; where it does, training is twice as fast."""
    if platform.machine() not in ("x86_64", "AMD64") or not Path("/proc/cpuinfo").exists():
        return False
    return "bf16" in Path("/proc/cpuinfo").read_text()


def batches_of(count: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Yield every index once, in random order."""
    order = rng.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.rename(path)


def _resume(path: Path, encoder: nn.Module, optimiser: Any, schedule: Any, made_by: str) -> int:
    """Load the last finished epoch of a run with the same settings; return how many are done."""
    if not path.exists():
        return 0
    kept = torch.load(path, weights_only=True)
    if kept["made_by"] != made_by:
        return 0
    for part, name in ((encoder, "encoder"), (optimiser, "optimiser"), (schedule, "schedule")):
        part.load_state_dict(kept[name])
    return int(kept["epoch"])


def _settings_of(imaging: Imaging, settings: Settings) -> str:
    """Everything on which the trained encoder depends."""
    everything = asdict(settings)
    names = ("encoder", "seed", "weight_decay", "encoder_rate")
    return repr((asdict(imaging), origin(imaging), settings.sizes.concept_hidden, {k: everything[k] for k in names}))
