"""Teach the evidence the outcome, on patients whose images no encoder has seen."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.fusion.data import Table
from models.fusion.evidence import MASKS, Evidence, bits, presence
from models.fusion.progress import Progress
from models.fusion.settings import Settings

EVERYTHING = 0.3  # share of the training rows that see every modality; the other masks share the rest
ALL_KNOWN = 0.6  # share of the rows in which no fact, or no image of a modality, is left out


@dataclass(frozen=True)
class Concepts:
    """What the encoders make of a cohort: for each image modality (choices, N, concepts), all images first."""

    by_choice: tuple[Tensor, ...]

    @property
    def full(self) -> Tensor:
        """Concepts from all images (N, concepts of all modalities)."""
        return torch.cat([x[0] for x in self.by_choice], 1)

    def chosen(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Concepts of some patients with images left out at random (B, concepts of all modalities)."""
        parts = []
        for x in self.by_choice:
            others = len(x) - 1
            share = [ALL_KNOWN] + [(1 - ALL_KNOWN) / others] * others
            parts.append(x[torch.from_numpy(rng.choice(len(x), len(rows), p=share)), torch.from_numpy(rows)])
        return torch.cat(parts, 1)


def train_heads(evidence: Evidence, cohort: Table, concepts: Concepts, settings: Settings) -> None:
    """Teach prior and evidence the outcome, with modalities, images and facts left out at random."""
    optimiser = torch.optim.AdamW(evidence.parameters(), settings.heads_rate, weight_decay=settings.heads_decay)
    values, positive = torch.from_numpy(cohort.values), torch.from_numpy(cohort.positive).float()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.heads_epochs)
    progress = Progress("train heads", settings.heads_epochs)
    evidence.train()
    for epoch in range(settings.heads_epochs):
        rng = np.random.default_rng([settings.seed, 1, epoch])
        order = np.concatenate([rng.permutation(len(cohort)) for _ in range(settings.heads_masks)])
        for rows in np.array_split(order, max(1, len(order) // settings.heads_batch)):
            optimiser.zero_grad()
            known, mask = drop(rng, len(rows), values.shape[1])
            pieces, _ = evidence(values[rows], known, concepts.chosen(rows, rng), mask)
            loss = functional.binary_cross_entropy_with_logits(pieces.sum(1), positive[rows])
            loss.backward()
            optimiser.step()
        schedule.step()
        progress.show(epoch + 1, f"loss {loss.item():.3f}")
    evidence.eval()


def drop(rng: np.random.Generator, count: int, facts: int) -> tuple[Tensor, Tensor]:
    """Leave out modalities and facts at random: known facts (B, F), one-hot mask (B, 16)."""
    share = [(1 - EVERYTHING) / (MASKS - 1)] * (MASKS - 1) + [EVERYTHING]
    there = bits()[torch.from_numpy(rng.choice(MASKS, count, p=share))]
    some = np.where(rng.random((count, 1)) < ALL_KNOWN, 1.0, rng.random((count, facts)) < 0.7)
    known = torch.from_numpy(some).float() * there[:, :1]
    there = torch.cat((known.amax(1, keepdim=True), there[:, 1:]), 1)
    return known, presence(there)
