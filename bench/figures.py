"""Figures of samples: quantiles, and the ratio of two with its spread."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

DRAWS: Final = 1000


@dataclass
class Samples:
    """Times of one operation in milliseconds, at the site without and the one with a history."""

    empty: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return median and p95 of both, and the ratio of the p95 with its 95 % interval (bootstrap)."""
        drawn = np.random.default_rng(4)
        empty, full = np.array(self.empty), np.array(self.full)
        ratios = [
            quantile(drawn.choice(full, len(full)), 95) / quantile(drawn.choice(empty, len(empty)), 95)
            for _ in range(DRAWS)
        ]
        return {
            "samples": len(full),
            "median_ms": rounded(quantile(full, 50)),
            "p95_ms": rounded(quantile(full, 95)),
            "empty_median_ms": rounded(quantile(empty, 50)),
            "empty_p95_ms": rounded(quantile(empty, 95)),
            "ratio_p95": rounded(quantile(full, 95) / quantile(empty, 95)),
            "ratio_p95_low": rounded(float(np.percentile(ratios, 2.5))),
            "ratio_p95_high": rounded(float(np.percentile(ratios, 97.5))),
            "ratio_median": rounded(quantile(full, 50) / quantile(empty, 50)),
        }


def quantile(values: "Sequence[float] | np.ndarray[Any, Any]", percent: float) -> float:
    """Return a percentile."""
    return float(np.percentile(values, percent))


def rounded(value: float) -> float:
    """Return a figure with three significant digits or so."""
    return round(value, 3)
