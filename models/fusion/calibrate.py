"""What is fitted after training: centres, Laplace covariance, recalibration and interval width, by presence mask."""

from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.fusion.data import Table, join
from models.fusion.evidence import MASKS
from models.fusion.network import FusionNetwork
from models.statistics.calibration import Bools, Floats, logistic_towards, logit

COVERAGE: Final = 0.95
SHRINKAGE: Final = 400.0  # precision (deviation 0.05) with which every scale is expected at 1 and every shift at 0


def calibrate(
    network: FusionNetwork, heads: Table, heads_concepts: Tensor, validation: Table, validation_concepts: Tensor
) -> None:
    """Fit the buffers of a trained network: centres and covariance on `heads`, the interval on `validation`.

    Scale and shift are fitted on both: a handful of heads overfits little, and a prevalence needs many patients. They
    are drawn towards 1 and 0, as 16 masks share most of what there is to correct.
    """
    both, concepts = join([heads, validation]), torch.cat((heads_concepts, validation_concepts))
    with torch.no_grad():
        _centre(network, heads, heads_concepts)
        _laplace(network, heads, heads_concepts)
        for mask in range(MASKS):
            before = weigh(network, both, concepts, mask)[0].sum(1).double().numpy()
            _recalibrate(network, before, both.positive, mask)
            _widen(network, validation, validation_concepts, mask)


def weigh(network: FusionNetwork, cohort: Table, concepts: Tensor, mask: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return pieces, features and the one-hot mask of a cohort of which only some modalities are shown."""
    one_hot = functional.one_hot(torch.full((len(cohort),), mask), MASKS).float()
    values = torch.from_numpy(cohort.values)
    known = torch.full_like(values, float(mask % 2))
    pieces, features = network.evidence(values, known, concepts, one_hot)
    return pieces, features, one_hot


def estimate(network: FusionNetwork, cohort: Table, concepts: Tensor, mask: int) -> tuple[Floats, Floats]:
    """Return logit and its deviation of each patient of a cohort of which only some modalities are shown."""
    with torch.no_grad():
        pieces, deviation = network.recalibration(*weigh(network, cohort, concepts, mask))
    return pieces.sum(1).double().numpy(), deviation.double().numpy()


def _centre(network: FusionNetwork, heads: Table, concepts: Tensor) -> None:
    """Make each piece 0 on average, so that it says how this patient differs from the average one."""
    network.evidence.centre.zero_()
    means = [weigh(network, heads, concepts, mask)[0][:, 1:].mean(0) for mask in range(MASKS)]
    network.evidence.centre.copy_(torch.stack(means, 1))


def _laplace(network: FusionNetwork, heads: Table, concepts: Tensor, precision: float = 1.0) -> None:
    """Laplace approximation over the last layer: inverse Hessian of the penalised log-likelihood, all masks alike."""
    width = network.recalibration.covariance_root.shape[0]
    hessian = precision * torch.eye(width, dtype=torch.float64)
    for mask in range(MASKS):
        pieces, features, _ = weigh(network, heads, concepts, mask)
        p = torch.sigmoid(pieces.sum(1)).double()
        weighted = features.double() * torch.sqrt(p * (1 - p))[:, None]
        hessian += weighted.T @ weighted / MASKS
    root = torch.linalg.cholesky(torch.linalg.inv(hessian))
    network.recalibration.covariance_root.copy_(root.float())


def _recalibrate(network: FusionNetwork, before: Floats, positive: Bools, mask: int) -> None:
    """Fit scale and shift of the logit by logistic regression; with nothing known only the shift can be fitted."""
    if mask == 0:
        scale, shift = 1.0, float(logit(np.array([positive.mean()]))[0] - before[0])
    else:
        scale, shift = map(float, logistic_towards(before[:, None], positive, np.array([1.0, 0.0]), SHRINKAGE))
    network.recalibration.scale[mask], network.recalibration.shift[mask] = scale, shift


def _widen(network: FusionNetwork, cohort: Table, concepts: Tensor, mask: int) -> None:
    """Widen the interval until it covers the true posterior, which the phantom knows, in 95 of 100 patients."""
    network.recalibration.spread[mask] = 0
    found, deviation = estimate(network, cohort, concepts, mask)
    error = found - logit(cohort.posterior[:, mask])
    variance = deviation**2
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        covered = (np.abs(error) <= 1.96 * np.sqrt(variance + middle**2)).mean()
        low, high = (low, middle) if covered >= COVERAGE else (middle, high)
    network.recalibration.spread[mask] = high
