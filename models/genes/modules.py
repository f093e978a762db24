"""Gene sets made from data, for want of written ones: genes that rise and fall together."""

import numpy as np
from sklearn.cluster import KMeans

from models.genes.gmt import Pathways
from models.tables.table import Floats


def modules(expression: Floats, count: int, seed: int, least: int = 5) -> Pathways:
    """Group genes whose expression correlates; labels play no part.

    They are clusters and not pathways: what they tell of biology is what the training patients show of it.

    Parameters
    ----------
    expression : array (N, G)
        Standardised; what is NaN counts as the mean.
    count : int
        How many groups to look for.

    Raises
    ------
    ValueError
        If no group has `least` genes.
    """
    profiles = np.nan_to_num(expression).T
    lengths = np.linalg.norm(profiles, axis=1, keepdims=True)
    wanted = min(count, len(profiles))
    found = KMeans(wanted, n_init=1, random_state=seed).fit_predict(profiles / np.where(lengths > 0, lengths, 1.0))
    sizes = {f"module {i}": int((found == i).sum()) for i in range(wanted)}
    kept = [i for i in range(wanted) if sizes[f"module {i}"] >= least]
    if not kept:
        raise ValueError(f"no module of {wanted} has {least} genes")
    return Pathways(
        tuple(f"module {i}" for i in kept),
        np.array([found == i for i in kept]),
        {},
        {name: size for name, size in sizes.items() if size < least},
    )
