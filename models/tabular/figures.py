"""Figures of each system on each table, as plain values for JSON."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from models.statistics.comparison import paired_auc_test
from models.statistics.discrimination import auc
from models.statistics.report import summarise
from models.tables.table import SIZE, Floats, Table
from models.tabular.study import SERVED, HeldOut, Question, Study, held_out, table_of
from models.tabular.systems import BASELINE, SIMPLE

Json = dict[str, Any]
_AGES: Final = (50.0, 70.0)
_SIZES: Final = (20.0, 50.0)  # mm, between T1, T2 and T3
_FEWEST_AT_A_SITE: Final = 40
COMPARED_DRAWS: Final = 200
"""Draws of the bootstraps of systems that are neither served nor the baseline."""


def judge(study: Study, question: Question, systems: tuple[str, ...], draws: int = 1000) -> Json:
    """Measure systems on one question: the first repeat in full, the others by their AUC.

    A mean over repeats would be an ensemble, whose figures are not those of the model that is served.
    """
    table = table_of(question, study.data)
    found = {name: held_out(study, question, name) for name in systems}
    first = {name: one.probabilities[0] for name, one in found.items()}
    return {
        "question": question.name,
        "table": table.name,
        "label": table.label,
        "licence": table.licence,
        "patients": len(table.labels),
        "prevalence": float(table.labels.mean()),
        "facts": [fact.name for fact in table.facts],
        "systems": {
            name: _one(
                table, one, study, {k: p for k, p in first.items() if k != name and k == BASELINE}, _draws(name, draws)
            )
            for name, one in found.items()
        },
        "best_simple": _best_simple(table, first),
    }


def _draws(system: str, draws: int) -> int:
    return draws if system in (SERVED, BASELINE) else min(draws, COMPARED_DRAWS)


def _best_simple(table: Table, first: dict[str, Floats]) -> Json | None:
    """Compare the served system with the simple one that turned out best.

    It was picked after the fact, so that luck has put it ahead: p is multiplied by how many there are (Bonferroni).
    """
    areas = {name: auc(first[name], table.labels).value for name in SIMPLE if name in first}
    if SERVED not in first or not areas:
        return None
    name = max(areas, key=lambda one: areas[one])
    test = paired_auc_test(first[SERVED], first[name], table.labels)
    return {"system": name, "difference": asdict(test.difference), "p": min(1.0, test.p * len(areas))}


def _one(table: Table, found: HeldOut, study: Study, against: dict[str, Floats], draws: int) -> Json:
    widths = found.widths[0]
    summary = summarise(
        table.labels,
        found.probabilities[0],
        folds=found.folds[0].astype(int),
        seed=study.plan.seed,
        subgroups=subgroups(table),
        uncertainty=None if np.isnan(widths).any() else widths,
        against=against,
        draws=draws,
    )
    areas = [auc(p, table.labels).value for p in found.probabilities]
    return {
        "summary": summary,
        "auc_of_repeats": areas,
        "settings": list(found.settings),
        "cpu_seconds": found.cpu_seconds,
    }


def subgroups(table: Table) -> dict[str, Any]:
    """Levels of what the table has of age, size or T, subtype, oestrogen receptor, menopause and site."""
    levels: dict[str, Any] = {}
    for fact, column in zip(table.facts, table.values.T, strict=True):
        if fact.name == "age":
            banded = np.array(["under 50", "50 to 69", "70 and over"])[np.digitize(column, _AGES)]
            levels["age"] = np.where(np.isnan(column), "unknown", banded)
        elif fact.group == SIZE and fact.unit == "mm":
            banded = np.array(["T1 (to 20 mm)", "T2 (to 50 mm)", "T3 (over 50 mm)"])
            known = ~np.isnan(column)
            levels["size"] = np.where(known, banded[np.digitize(column, _SIZES, right=True) * known], "unknown")
        elif fact.is_category and fact.name in ("subtype", "er", "menopausal_status", "pathological_t", "clinical_t"):
            named = np.array([*fact.values, "unknown"])
            levels[fact.name] = named[np.where(np.isnan(column), len(fact.values), column).astype(int)]
    if table.site is not None:
        names, index, counts = np.unique(table.site, return_inverse=True, return_counts=True)
        levels["site"] = np.where(counts[index] >= _FEWEST_AT_A_SITE, names[index], "smaller sites")
    return levels
