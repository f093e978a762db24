"""Figures of each system on each table, as plain values for JSON."""

from typing import Any, Final

import numpy as np

from models.statistics.discrimination import auc
from models.statistics.report import summarise
from models.tables.table import Floats, Table
from models.tabular.study import SERVED, HeldOut, Question, Study, held_out
from models.tabular.systems import BASELINE

Json = dict[str, Any]
_AGES: Final = (50.0, 70.0)
_FEWEST_AT_A_SITE: Final = 40


def judge(study: Study, question: Question, systems: tuple[str, ...], draws: int = 1000) -> Json:
    """Measure systems on one question: the first repeat in full, the others by their AUC.

    A mean over repeats would be an ensemble, whose figures are not those of the model that is served.
    """
    table = question.load(study.data)
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
            name: _one(table, one, study, {k: p for k, p in first.items() if k != name and k == BASELINE}, draws)
            for name, one in found.items()
        },
    }


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
    return {"summary": summary, "auc_of_repeats": areas, "settings": list(found.settings)}


def subgroups(table: Table) -> dict[str, Any]:
    """Levels of what the table has of age, size or T, subtype, receptors, menopause and site."""
    levels: dict[str, Any] = {}
    for fact, column in zip(table.facts, table.values.T, strict=True):
        if fact.name == "age":
            levels["age"] = np.array(["under 50", "50 to 69", "70 and over"])[np.digitize(column, _AGES)]
        elif fact.is_category and fact.name in ("subtype", "er", "menopausal_status", "pathological_t", "clinical_t"):
            named = np.array([*fact.values, "unknown"])
            levels[fact.name] = named[np.where(np.isnan(column), len(fact.values), column).astype(int)]
    if table.site is not None:
        names, index, counts = np.unique(table.site, return_inverse=True, return_counts=True)
        levels["site"] = np.where(counts[index] >= _FEWEST_AT_A_SITE, names[index], "smaller sites")
    return levels


def headline(judged: Json) -> Json:
    """Return the few figures that a release is held to, for one question."""
    served, baseline = (judged["systems"][name]["summary"] for name in (SERVED, BASELINE))
    calibrated = served["calibration"]
    return {
        "auc": served["discrimination"]["auc"]["value"],
        "baseline_auc": baseline["discrimination"]["auc"]["value"],
        "slope_covers_1": int(calibrated["slope_covers_1"]),
        "ece_within_range": int(calibrated["ece"]["equal_count"]["within_range"]),
        "worse_than_baseline": int(_worse(served["against"][BASELINE]["auc"])),
    }


def _worse(difference: Json) -> bool:
    """Whether the whole interval of a difference lies below 0."""
    return bool(difference["high"] < 0)
