"""Who is trained on and who is scored: splits that never have a patient on both sides."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedKFold

from models.statistics.values import Rows, grouped, outcomes


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to fit on and rows to score; no patient is in both.

    Attributes
    ----------
    train, test : array
        Ascending row numbers.
    repeat, fold : int
        From 0.
    site : hashable, optional
        What was left out, where sites were.
    """

    train: Rows
    test: Rows
    repeat: int = 0
    fold: int = 0
    site: Hashable = None


def repeated_folds(
    labels: ArrayLike, *, groups: ArrayLike | None = None, folds: int = 5, repeats: int = 1, seed: int
) -> Iterator[Split]:
    """Cross-validate by patient, stratified by whether the patient has a positive row.

    Each repeat deals the patients anew; a repeat depends on the seed and its number alone, not on how many there are.

    Raises
    ------
    ValueError
        If an outcome has fewer patients than there are folds.
    """
    positive = outcomes(labels, len(np.asarray(labels)))
    patients = grouped(groups, len(positive))
    some = np.zeros(patients.max() + 1, int)
    some[patients[positive]] = 1
    if np.bincount(some, minlength=2).min() < folds:
        raise ValueError(f"{folds} folds need at least as many patients of either outcome")
    for repeat in range(repeats):
        state = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        dealt = StratifiedKFold(folds, shuffle=True, random_state=state).split(some, some)
        for fold, (_, held_out) in enumerate(dealt):
            test = np.isin(patients, held_out)
            yield Split(np.flatnonzero(~test), np.flatnonzero(test), repeat, fold)


def leave_one_site_out(sites: ArrayLike, *, groups: ArrayLike | None = None) -> Iterator[Split]:
    """Score each site by what was learnt at the others; who was seen at both is not learnt from.

    Raises
    ------
    ValueError
        If there is only one site.
    """
    where = np.asarray(sites)
    patients = grouped(groups, len(where))
    names = np.unique(where)
    if len(names) < 2:
        raise ValueError("leaving one site out needs at least two")
    for fold, name in enumerate(names):
        test = where == name
        train = ~np.isin(patients, patients[test])
        yield Split(np.flatnonzero(train), np.flatnonzero(test), 0, fold, name.item())


def temporal(when: ArrayLike, *, groups: ArrayLike | None = None, later: float = 0.3) -> Split:
    """Learn from what came first and score what came after.

    The cut is a moment: all rows of the same moment lie on the same side. Who was seen before and after is scored by
    the later rows and not learnt from.

    Parameters
    ----------
    when : array (N,)
        Numbers or dates, none of them missing.
    later : float
        Share of rows to score, in (0, 1); ties make it smaller or larger.

    Raises
    ------
    ValueError
        If a moment is missing, or all are the same.
    """
    moments = np.asarray(when)
    missing = np.isnat(moments) if moments.dtype.kind == "M" else np.isnan(np.asarray(moments, np.float64))
    if missing.any():
        raise ValueError("a temporal split needs the time of every row")
    patients = grouped(groups, len(moments))
    ordered = np.sort(moments)
    cut = ordered[min(len(ordered) - 1, int(np.floor((1 - later) * len(ordered) + 1e-9)))]
    if cut == ordered[0]:
        cut = ordered[np.searchsorted(ordered, cut, "right") % len(ordered)]
    test = moments >= cut
    if test.all():
        raise ValueError("a temporal split needs more than one moment")
    train = ~test & ~np.isin(patients, patients[test])
    return Split(np.flatnonzero(train), np.flatnonzero(test))


def nested(
    outer: Split, labels: ArrayLike, *, groups: ArrayLike | None = None, folds: int = 5, repeats: int = 1, seed: int
) -> Iterator[Split]:
    """Split the training rows of a split again, to tune on; rows are numbered as in the whole table.

    Raises
    ------
    ValueError
        If an outcome has fewer patients in training than there are folds.
    """
    inside = np.asarray(labels)[outer.train]
    whose = None if groups is None else np.asarray(groups)[outer.train]
    for s in repeated_folds(inside, groups=whose, folds=folds, repeats=repeats, seed=seed):
        yield Split(outer.train[s.train], outer.train[s.test], s.repeat, s.fold)
