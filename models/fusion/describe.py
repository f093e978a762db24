"""What trained encoders make of a cohort: concepts of every patient, for every choice of images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.fusion import data
from models.fusion.encoder import ImageEncoder
from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.fusion.settings import Cohort, Imaging, Settings

ALL_SHOWN: Final = 0.6  # share of the training rows in which no image of a modality is left out


@dataclass(frozen=True)
class Concepts:
    """What the encoders make of a cohort: for each image modality (choices, N, concepts), all images first."""

    by_choice: tuple[Tensor, ...]

    @property
    def full(self) -> Tensor:
        """Concepts from all images (N, concepts of all modalities)."""
        return torch.cat([x[0] for x in self.by_choice], 1)

    def without(self, modality: int, choice: int) -> Tensor:
        """Concepts from all images but that one modality shows a choice of its own."""
        return torch.cat([x[choice if i == modality else 0] for i, x in enumerate(self.by_choice)], 1)

    def chosen(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Concepts of some patients with images left out at random (B, concepts of all modalities)."""
        parts = []
        for x in self.by_choice:
            others = len(x) - 1
            share = [ALL_SHOWN] + [(1 - ALL_SHOWN) / others] * others
            parts.append(x[torch.from_numpy(rng.choice(len(x), len(rows), p=share)), torch.from_numpy(rows)])
        return torch.cat(parts, 1)


def describe(encoders: Iterable[nn.Module], cohort: Cohort, settings: Settings) -> Concepts:
    """Let each encoder look at the images of a cohort, modality beside modality."""
    jobs = [
        (encoder.state_dict(), data.shards(cohort, one, settings), one, settings, cohort.name)
        for encoder, one in zip(encoders, settings.imaging, strict=True)
    ]
    found = dict(spread(describe_shards, jobs, settings.processes))
    return Concepts(tuple(torch.from_numpy(found[i]) for i in range(len(jobs))))


def describe_shards(
    state: dict[str, Any], paths: Sequence[Path], imaging: Imaging, settings: Settings, name: str
) -> NDArray[np.float32]:
    """Return the concepts of one modality (choices, N, concepts)."""
    torch.set_num_threads(1)
    encoder = ImageEncoder(imaging, settings.sizes.concept_hidden)
    encoder.load_state_dict(state)
    encoder.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]  # torch does not state this one
    progress, parts = Progress(f"describe {imaging.name} {name}", len(paths)), []
    for done, path in enumerate(paths, start=1):
        images = torch.from_numpy(data.read(path).images)
        parts += [look(encoder, x.float() / 255, imaging) for x in images.split(25)]
        progress.show(done)
    return np.asarray(torch.cat(parts, 1).numpy())


def look(encoder: ImageEncoder, images: Tensor, imaging: Imaging) -> Tensor:
    """Look at images (N, I, C, H, W) once; return their concepts for every choice of them."""
    with torch.no_grad():
        features, gates = encoder.look(images)
        choices = [torch.tensor(choice).expand(len(images), -1) for choice in imaging.choices]
        return torch.stack([encoder.pool(features, gates, choice) for choice in choices])
