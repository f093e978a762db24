"""Systems against each other on the same held-out patients, and what that says, whichever way it falls."""

from typing import Any, Final

from models.genes.prepare import Columns
from models.genes.study import Study, held_out
from models.genes.systems import CLINICAL, ELASTIC_NET
from models.statistics.comparison import holm, paired_auc_test
from models.statistics.discrimination import auc
from models.statistics.report import summarise
from models.tables.table import Table
from models.tabular.figures import subgroups

Json = dict[str, Any]
SENSITIVITIES: Final = (0.90, 0.921, 0.95, 0.98)  # 0.921 is where the published gene model reports its share


def judge(study: Study, systems: tuple[str, ...], draws: int = 1000) -> Json:
    """Measure systems: the first repeat in full, the others by their AUC.

    A mean over repeats would be an ensemble, whose figures are not those of one model.

    Returns
    -------
    dict
        In the form of `models.tabular.figures.judge`, with `paired`: each system against clinical only and against
        elastic net (DeLong, p by Holm over all of these), and `verdict`: sentences.
    """
    table = study.patients()
    columns = Columns(table.facts)
    found = {name: held_out(study, name) for name in systems}
    first = {name: one.probabilities[0] for name, one in found.items()}
    paired = _paired(first, table)
    return {
        "question": f"{study.table}_genes",
        "table": table.name,
        "label": table.label,
        "licence": table.licence,
        "patients": len(table.labels),
        "prevalence": float(table.labels.mean()),
        "facts": [fact.name for fact in columns.facts],
        "genes": len(columns.genes),
        "systems": {
            name: {
                "summary": summarise(
                    table.labels,
                    one.probabilities[0],
                    folds=one.folds[0].astype(int),
                    seed=study.plan.seed,
                    sensitivities=SENSITIVITIES,
                    subgroups=subgroups(table),
                    against={k: p for k, p in first.items() if k == CLINICAL != name},
                    draws=draws,
                ),
                "auc_of_repeats": [auc(p, table.labels).value for p in one.probabilities],
                "settings": list(one.settings),
                "cpu_seconds": one.cpu_seconds,
            }
            for name, one in found.items()
        },
        "paired": paired,
        "verdict": verdict(paired),
    }


def _paired(first: dict[str, Any], table: Table) -> list[Json]:
    """Compare each system with each that it has to beat."""
    pairs = [
        (name, other)
        for other in (CLINICAL, ELASTIC_NET)
        for name in first
        if other in first and name not in (other, CLINICAL)
    ]
    tests = [paired_auc_test(first[name], first[other], table.labels) for name, other in pairs]
    adjusted = holm([test.p for test in tests])
    return [
        {
            "system": name,
            "against": other,
            "difference": test.difference.value,
            "low": test.difference.low,
            "high": test.difference.high,
            "p": test.p,
            "p_holm": float(p),
        }
        for (name, other), test, p in zip(pairs, tests, adjusted, strict=True)
    ]


def verdict(paired: list[Json]) -> list[str]:
    """Say of each comparison whether it was won."""
    return [
        f"{one['system']} {_outcome(one)} {one['against']}: AUC {one['difference']:+.3f} "
        f"({one['low']:+.3f} to {one['high']:+.3f}), p {one['p_holm']:.2g} after Holm"
        for one in paired
    ]


def _outcome(one: Json) -> str:
    if one["p_holm"] >= 0.05:
        return "does not beat"
    return "beats" if one["difference"] > 0 else "is worse than"


def lines(judged: Json) -> list[str]:
    """Return the judgement as a person reads it."""
    said = [
        f"{judged['table']}: {judged['patients']} patients, {judged['genes']} genes, {judged['label']}",
        f"{'':<20}{'AUC':>7}  {'95 %':<15}{'Brier':>7}{'slope':>7}  avoided at sensitivity 0.90",
    ]
    for name, one in judged["systems"].items():
        summary = one["summary"]
        area, brier = summary["discrimination"]["auc"], summary["scores"]["brier"]["value"]
        slope = summary["calibration"]["slope"]["value"]
        avoided = summary["operating_points"]["sensitivity >= 0.90"]["exact"]["biopsies_avoided"]["value"]
        said.append(
            f"{name:<20}{area['value']:7.3f}  {area['low']:.3f}-{area['high']:.3f}    {brier:7.3f}{slope:7.2f}"
            f"  {avoided:.3f}"
        )
    for name, one in judged["systems"].items():
        cells = [
            f"{row['level']} {row['auc']['value']:.3f} of {row['rows']}" if row["auc"] else f"{row['level']} too few"
            for row in one["summary"]["subgroups"]
            if row["variable"] == "subtype"
        ]
        said += [f"{name} by subtype: {', '.join(cells)}"] if cells else []
    return [*said, *judged["verdict"]]
