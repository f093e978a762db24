"""One batch for all axillae, what is missing marked as such."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from agent.core.manifest import parse_manifest
from agent.infer.inputs import tensors
from agent.preprocess.tabular import Encoded
from tests.builders_bundle import HEIGHT, WIDTH, manifest

ENCODED = Encoded(np.array([1, 0], np.float32), np.array([1, 0], np.float32), ("size_ultrasound_mm",), ())


def view(level: float) -> Any:
    """A view of one grey level."""
    return SimpleNamespace(
        instance=SimpleNamespace(modality="MG"), tensor_chw=np.full((1, HEIGHT, WIDTH), level, np.float32)
    )


def test_axillae_with_different_numbers_of_views_share_a_batch() -> None:
    """The shorter one is padded, and the padding is not present."""
    batch = tensors(parse_manifest(manifest(files={})), ENCODED, [[view(0.5)], [view(0.25), view(1.0)]])
    assert {name: array.shape for name, array in batch.items()} == {
        "clinical": (2, 2),
        "clinical_present": (2, 2),
        "mammogram": (2, 2, 1, HEIGHT, WIDTH),
        "mammogram_present": (2, 2),
    }
    assert batch["mammogram_present"].tolist() == [[1, 0], [1, 1]]
    assert batch["mammogram"].mean((2, 3, 4)).tolist() == [[0.5, 0], [0.25, 1.0]]
    assert batch["clinical"].tolist() == [[1, 0], [1, 0]]
    assert all(array.dtype == np.float32 for array in batch.values())


def test_without_any_view_one_empty_one_stands_in() -> None:
    """The graph needs a size."""
    batch = tensors(parse_manifest(manifest(files={})), ENCODED, [[]])
    assert batch["mammogram"].shape == (1, 1, 1, HEIGHT, WIDTH)
    assert batch["mammogram_present"].tolist() == [[0]]


def test_a_bundle_of_facts_alone_gets_no_images() -> None:
    """Only what its manifest names."""
    raw = manifest(files={}, preprocessing={}, modalities=["clinical"])
    raw["inputs"] = raw["inputs"][:2]
    assert set(tensors(parse_manifest(raw), ENCODED, [[]])) == {"clinical", "clinical_present"}
