"""A trained linear model as the graph that the agent runs."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from agent.core.manifest import FactSpec
from models.statistics.recalibration import Logistic
from models.tables.table import Floats
from models.tabular.encode import CROSSED, CategoryCode
from models.tabular.systems import Linear

SIZES: Final = ("size_mammography_mm", "size_ultrasound_mm", "size_mri_mm")  # their mean stands for the size


class ServedNetwork(nn.Module):
    """A trained linear model as a graph: standardised facts in; logit, its spread and contributions out."""

    mean: Tensor
    sd: Tensor
    weights: Tensor
    root: Tensor

    def __init__(self, model: Linear, recalibration: Logistic | None, specs: Sequence[FactSpec]) -> None:
        super().__init__()
        encoder = self.encoder = model.encoder
        names = [spec.name for spec in specs]
        self.sources = [[names.index(one) for one in measured(fact.name)] for fact in encoder.facts]
        scale, shift = (recalibration.on_log, recalibration.shift) if recalibration else (1.0, 0.0)
        self._keep("mean", np.array([spec.mean for spec in specs]))
        self._keep("sd", np.array([spec.sd for spec in specs]))
        kept = np.append(encoder.varies, True)  # a column that does not vary weighs nothing
        weights, root = np.zeros(len(kept)), np.zeros((len(kept), kept.sum()))
        weights[kept] = np.append(model.weights, 0)
        root[kept] = np.linalg.cholesky(model.covariance)
        self._keep("weights", scale * weights[:-1, None])
        self._keep("root", scale * root)
        self.prior = scale * model.intercept + shift

    def forward(self, clinical: Tensor, clinical_present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logit and its spread (N,), and what prior and facts contribute (N, 2)."""
        raw = clinical * self.sd + self.mean
        parts, multipliers = [], []
        for index, sources in enumerate(self.sources):
            there = clinical_present[:, sources]
            known = there.amax(1, keepdim=True)
            value = (raw[:, sources] * there).sum(1, keepdim=True) / torch.clamp(there.sum(1, keepdim=True), min=1.0)
            columns = self._columns(index, value) * known
            parts.append(columns)
            if self.encoder.multiplies(index):
                multipliers.append(columns[:, :1])
        plain = torch.cat(parts, 1)
        design = torch.cat((plain, *(CROSSED * plain * by for by in multipliers)), 1)
        evidence = design @ self.weights  # (N, 1)
        prior = torch.zeros_like(evidence) + self.prior
        design = torch.cat((design, torch.ones_like(evidence)), 1)
        spread = torch.sqrt(((design @ self.root) ** 2).sum(1))
        return (prior + evidence)[:, 0], spread, torch.cat((prior, evidence), 1)

    def _columns(self, index: int, value: Tensor) -> Tensor:
        """Return the centred columns of one fact, of its values (N, 1)."""
        code, centre = self.encoder.codes[index], self.encoder.centres[index]
        if isinstance(code, CategoryCode):
            columns = (torch.abs(value - torch.tensor(code.kept, dtype=torch.float32)) < 0.5).to(torch.float32)
        else:
            z = ((torch.log1p(torch.clamp(value, min=0.0)) if code.log else value) - code.mean) / code.sd
            columns = torch.cat((z, *_spline(z, code.knots)), 1)
        return columns - torch.tensor(centre, dtype=torch.float32)

    def _keep(self, name: str, array: Floats) -> None:
        self.register_buffer(name, torch.tensor(array, dtype=torch.float32))


def _spline(z: Tensor, knots: Floats) -> list[Tensor]:
    """As `models.tabular.encode.spline_terms`, in torch."""
    if len(knots) < 3:
        return []
    *inner, before, last = (float(k) for k in knots)

    def cube(at: float) -> Tensor:
        return torch.clamp(z - at, min=0.0) ** 3

    return [
        (cube(k) - cube(before) * (last - k) / (last - before) + cube(last) * (before - k) / (last - before))
        / (last - float(knots[0])) ** 2
        for k in inner
    ]


def measured(name: str) -> tuple[str, ...]:
    """Return the agent's facts that a fact of the tables is made of."""
    return SIZES if name == "size_pathology_mm" else (name,)
