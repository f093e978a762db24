"""What is fitted after training: centres, Laplace covariance, recalibration and interval width, by presence mask."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.fusion.data import Arrays
from models.fusion.network import MASKS, FusionNetwork
from models.statistics.calibration import Bools, Floats, logistic, logit

COVERAGE = 0.95


def calibrate(
    network: FusionNetwork, heads: Arrays, heads_concepts: Tensor, validation: Arrays, validation_concepts: Tensor
) -> None:
    """Fit the buffers of a trained network: centres and covariance on `heads`, the interval on `validation`.

    Scale and shift are fitted on both: a handful of heads overfits little, and a prevalence needs many patients.
    """
    positive = np.concatenate((heads.positive, validation.positive))
    with torch.no_grad():
        _centre(network, heads, heads_concepts)
        _laplace(network, heads, heads_concepts)
        for mask in range(MASKS):
            parts = ((heads, heads_concepts), (validation, validation_concepts))
            before = torch.cat([weigh(network, *part, mask)[0].sum(1) for part in parts])
            _recalibrate(network, before.double().numpy(), positive, mask)
            _widen(network, validation, validation_concepts, mask)


def weigh(network: FusionNetwork, cohort: Arrays, concepts: Tensor, mask: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return pieces, features and the one-hot mask of a cohort of which only some modalities are shown."""
    one_hot = functional.one_hot(torch.full((len(cohort),), mask), MASKS).float()
    values = torch.from_numpy(cohort.values)
    known = torch.full_like(values, float(mask % 2))
    pieces, features = network.evidence(values, known, concepts, one_hot)
    return pieces, features, one_hot


def _centre(network: FusionNetwork, heads: Arrays, concepts: Tensor) -> None:
    """Make each piece 0 on average, so that it says how this patient differs from the average one."""
    network.evidence.centre.zero_()
    means = [weigh(network, heads, concepts, mask)[0][:, 1:].mean(0) for mask in range(MASKS)]
    network.evidence.centre.copy_(torch.stack(means, 1))


def _laplace(network: FusionNetwork, heads: Arrays, concepts: Tensor, precision: float = 1.0) -> None:
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
        scale, shift = map(float, logistic(before[:, None], positive))
    network.recalibration.scale[mask], network.recalibration.shift[mask] = scale, shift


def _widen(network: FusionNetwork, cohort: Arrays, concepts: Tensor, mask: int) -> None:
    """Widen the interval until it covers the true posterior, which the phantom knows, in 95 of 100 patients."""
    network.recalibration.spread[mask] = 0
    pieces, features, one_hot = weigh(network, cohort, concepts, mask)
    pieces, deviation = network.recalibration(pieces, features, one_hot)
    error = pieces.sum(1).double().numpy() - logit(cohort.posterior[:, mask])
    variance = deviation.double().numpy() ** 2
    low, high = 0.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        covered = (np.abs(error) <= 1.96 * np.sqrt(variance + middle**2)).mean()
        low, high = (low, middle) if covered >= COVERAGE else (middle, high)
    network.recalibration.spread[mask] = high
