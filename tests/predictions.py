"""Predictions with outcomes drawn from them."""

import numpy as np

from models.statistics.calibration import sigmoid
from models.statistics.values import Bools, Floats


def drawn(count: int, seed: int, *, spread: float = 1.0, centre: float = 0.0) -> tuple[Floats, Bools]:
    """Probabilities (N,) of normal logits, and outcomes (N,) that they are right about."""
    rng = np.random.default_rng([seed, 1])  # not the stream that a test draws from by the same seed
    probability = sigmoid(rng.normal(centre, spread, count))
    return probability, rng.random(count) < probability
