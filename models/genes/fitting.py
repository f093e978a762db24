"""How a network learns from patients: AdamW on the log loss, stopped by patients it does not learn from."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.genes.network import GeneTransformer
from models.genes.prepare import Inputs
from models.genes.settings import Pretraining, Training
from models.tables.table import Bools

Answer = Callable[[Tensor], Tensor]  # logits (n,) of some rows (n,) of the training patients


def learn(network: nn.Module, answer: Answer, labels: Bools, training: Training, seed: int) -> int:
    """Train a network and leave it at its best epoch, ready to predict.

    Parameters
    ----------
    answer : callable
        Runs the network on some of the training patients.
    labels : array (N,)
        Of all of them.

    Returns
    -------
    int
        The best epoch, from 1.
    """
    target = torch.from_numpy(labels).float()
    inside, aside = train_test_split(
        np.arange(len(labels)), test_size=training.held_out, stratify=labels, random_state=seed
    )
    optimiser = torch.optim.AdamW(
        [one for one in network.parameters() if one.requires_grad], training.rate, weight_decay=training.weight_decay
    )
    best, kept, since = np.inf, copy.deepcopy(network.state_dict()), 0
    found = 1
    for epoch in range(1, training.epochs + 1):
        network.train()
        for rows in torch.from_numpy(inside)[torch.randperm(len(inside))].split(training.batch):
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(answer(rows), target[rows]).backward()
            optimiser.step()
        network.eval()
        with torch.no_grad():
            rows = torch.from_numpy(aside)
            loss = float(binary_cross_entropy_with_logits(_batched(answer, rows, training.batch), target[rows]))
        since += 1
        if loss < best:
            best, kept, since, found = loss, copy.deepcopy(network.state_dict()), 0, epoch
        if since == training.patience:
            break
    network.load_state_dict(kept)
    return found


def pretrain(network: GeneTransformer, inputs: Inputs, how: Pretraining, batch: int) -> list[float]:
    """Learn to guess genes that are hidden from those that are not (masked autoencoder).

    A hidden gene is left out as one that was never measured; where the data lack a value there is nothing to guess.
    With `frozen` the tokens and the attention keep afterwards what they learnt here.

    Returns
    -------
    list of float
        Mean squared error of each epoch, over hidden genes.
    """
    optimiser = torch.optim.AdamW(network.parameters(), how.rate)
    errors = []
    network.train()
    for _ in range(how.epochs):
        total = count = 0.0
        for rows in torch.randperm(len(inputs.values)).split(batch):
            part = inputs.rows(rows)
            share = how.low + (how.high - how.low) * torch.rand(len(rows), 1)
            hidden = part.known & (torch.rand(part.known.shape) < share)
            if not hidden.any():
                continue
            guess = network.guess(part.values, part.known & ~hidden, part.numbers, part.slots)
            squared = (guess - part.values)[hidden] ** 2
            optimiser.zero_grad()
            squared.mean().backward()
            optimiser.step()
            total, count = total + float(squared.detach().sum()), count + len(squared)
        errors.append(total / max(count, 1.0))
    for one in (network.genes, network.read) if how.frozen else ():
        one.requires_grad_(False)
    return errors


def predict(network: nn.Module, answer: Answer, count: int, batch: int = 256) -> Tensor:
    """Return logits (N,) of all rows that `answer` knows."""
    network.eval()
    with torch.no_grad():
        return _batched(answer, torch.arange(count), batch)


def _batched(answer: Answer, rows: Tensor, batch: int) -> Tensor:
    return torch.cat([answer(some) for some in rows.split(batch)])
