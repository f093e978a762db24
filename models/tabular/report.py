"""RESULTS.md and its figures, from what the JSON results say."""

import json
from pathlib import Path
from typing import Any, Final

from models.statistics.comparison import holm
from models.statistics.operating import Goal
from models.statistics.plots import save, span
from models.tabular.figures import headline
from models.tabular.study import SERVED
from models.tabular.systems import BASELINE

Json = dict[str, Any]
_HEAD: Final = """# Results on tables

Written by `make models-tables` from its JSON results; nothing here was typed. Nested cross-validation: settings and
recalibration are chosen inside the training part of each outer fold, each system tries as many settings as the others,
and every figure is of patients that a model did not learn from. Figures are of the first repeat; the AUCs of all
repeats stand beside. `served` takes of each outer fold the simple system that its inner folds favoured; the baseline
is a straight logistic regression. Tables are parts of the published ones (see `docs/tables.md`).
"""
LOW: Final = str(Goal("sensitivity", 0.95))
_COLUMNS: Final = (
    "| system | AUC (95 %) | AUC of repeats | difference to baseline (95 %) | p (Holm) | slope (95 %) |"
    " ECE (by luck up to) | Brier | avoided at sensitivity 0.95 |\n" + "|-" * 9 + "|"
)


def compared(judged: Json) -> str:
    """Return one question's systems as a Markdown table."""
    adjusted = _holm(judged["systems"])
    lines = [_COLUMNS]
    for name, one in judged["systems"].items():
        summary = one["summary"]
        error = summary["calibration"]["ece"]["equal_count"]
        against = summary["against"].get(BASELINE)
        repeats = " ".join(f"{area:.3f}" for area in one["auc_of_repeats"])
        difference = span(against["auc"]) if against else "–"
        avoided = summary["operating_points"][LOW]["exact"]["biopsies_avoided"]
        lines.append(
            f"| {name} | {span(summary['discrimination']['auc'])} | {repeats} | {difference} |"
            f" {adjusted.get(name, '–')} | {span(summary['calibration']['slope'], 2)} |"
            f" {error['value']:.3f} ({error['by_luck']:.3f}) | {summary['scores']['brier']['value']:.3f} |"
            f" {span(avoided)} |"
        )
    return "\n".join(lines)


def _holm(systems: Json) -> dict[str, str]:
    """Return p-values of the differences to the baseline, adjusted for how many systems are compared with it."""
    p = {n: one["summary"]["against"][BASELINE]["p"] for n, one in systems.items() if one["summary"]["against"]}
    return {name: f"{value:.3f}" for name, value in zip(p, holm(list(p.values())), strict=True)} if p else {}


def figures_of(results: Json) -> dict[str, float]:
    """Return the named figures of a release: `metabric_auc`, `metabric_baseline_auc` and so on."""
    found: dict[str, float] = {}
    for judged in results["questions"]:
        for kind, value in headline(judged).items():
            found[f"{judged['question'].replace('-', '_')}_{kind}"] = value
    for how in ("metabric to tcga", "tcga to metabric"):
        found[how.replace(" ", "_") + "_auc"] = results["across"][how]["auc"]["value"]
        found[how.replace(" ", "_") + "_drop"] = results["across"][how]["drop"]["value"]
    found["shuffled_mean_auc"] = results["shuffled"]["mean_auc"]
    found["shuffled_inside"] = results["shuffled"]["inside"]
    return found


def write(results: Json, folder: Path) -> Path:
    """Write RESULTS.md, figures.json and PNG figures of the served system on each table."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD, "## Figures\n", "| figure | value |\n|-|-|"]
    parts += [f"| `{name}` | {value:.4g} |" for name, value in figures_of(results).items()]
    for judged in results["questions"]:
        parts.append(_question(judged))
        served = judged["systems"][SERVED]["summary"]
        save(served, folder / "figures", judged["question"], title=f"{judged['question']}, served")
        parts.append(
            " ".join(f"![]({_figure(judged, kind)})" for kind in ("roc", "reliability", "decisions", "forest"))
        )
    parts += [_groups(results["simpler"])] if results["simpler"] else []
    parts += [_across(results["across"]), _places(results["places"])]
    parts += [_shuffled(results["shuffled"]), _bundle(results["bundle"])]
    path = folder / "RESULTS.md"
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    (folder / "figures.json").write_text(json.dumps(figures_of(results), indent=1) + "\n")
    return path


def _figure(judged: Json, kind: str) -> str:
    return f"figures/{judged['question']}_{kind}.png"


def _question(judged: Json) -> str:
    served = judged["systems"][SERVED]["summary"]
    fifth = min(served["abstention"], key=lambda at: abs(at["asked"] - 0.2))
    return (
        f"\n## {judged['question']}\n\n{judged['patients']} patients, {judged['prevalence']:.3f} positive: "
        f"{judged['label']}. Licence: {judged['licence']}. Facts: {', '.join(judged['facts'])}.{_stand_in(judged)}\n\n"
        f"{compared(judged)}\n\nWith the fifth of patients whose interval is widest left out, the AUC of the served"
        f" system is {span(fifth['auc'])}, a gain of {span(fifth['gain'])}: "
        f"{'higher' if fifth['gain']['low'] > 0 else 'not shown to be higher'}.\n"
    )


def _stand_in(judged: Json) -> str:
    if not judged["question"].endswith("burden") and judged["table"] != "gbsg2":
        return ""
    return " No public table has the label of `nsln`; nodal burden among node-positive patients stands in for it here."


def _groups(simpler: list[Json]) -> str:
    lines = [
        f"| {one['question']} | {len(one['facts'])} | {_area(one, SERVED)} | {_area(one, BASELINE)} |"
        for one in simpler
    ]
    head = "\n## With fewer facts\n\n| question | facts | served | baseline |\n|-|-|-|-|\n"
    return head + "\n".join(lines)


def _area(judged: Json, system: str) -> str:
    return span(judged["systems"][system]["summary"]["discrimination"]["auc"])


def _across(across: Json) -> str:
    lines = [
        f"| {how} | {span(one['auc'])} | {one['auc_of_its_own']:.3f} | {span(one['drop'])} | {span(one['slope'], 2)} |"
        f" {span(one['in_the_large'], 2)} |"
        for how, one in across.items()
        if how != "facts"
    ]
    head = (
        f"\n## From one table to the other\n\nThe same inputs mapped: {', '.join(across['facts'])}.\n\n"
        "| trained on, tested on | AUC | AUC of cross-validation inside the tested table | difference | slope |"
        " calibration in the large |\n|-|-|-|-|-|-|\n"
    )
    return head + "\n".join(lines)


def _places(places: Json) -> str:
    lines = [
        f"| {table} | {name} | {one['patients']} | {span(one['auc'])} |"
        for table, found in places.items()
        for name, one in found.items()
    ]
    head = "\n## Other sites, later years\n\n| table | scored | patients | AUC |\n|-|-|-|-|\n"
    return head + "\n".join(lines)


def _shuffled(found: Json) -> str:
    return (
        f"\n## Shuffled labels\n\nMETABRIC with labels dealt anew, {found['seeds']} seeds: mean AUC "
        f"{found['mean_auc']:.3f}, {found['inside']} of {found['seeds']} within their interval around 0.5."
    )


def _bundle(found: Json) -> str:
    return (
        f"\n## The bundle\n\n`{found['name']}`, {found['patients']} patients of METABRIC and TCGA-BRCA: AUC "
        f"{span(found['auc'])} under nested cross-validation, slope {span(found['slope'], 2)}; parity of its graph "
        f"{found['parity']:.1e}."
    )
