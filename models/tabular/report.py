"""RESULTS.md and its figures, from what the JSON results say."""

import json
from pathlib import Path
from typing import Any, Final

from models.statistics.comparison import holm
from models.statistics.operating import Goal
from models.statistics.plots import save, span
from models.statistics.report import cautious
from models.tabular import chapters
from models.tabular.study import SERVED
from models.tabular.systems import BASELINE, SYSTEMS
from models.tabular.verdict import BOUNDS, figures_of, verdict

Json = dict[str, Any]
_HEAD: Final = """# Results on tables

Written from the JSON results of `make models-tables`, of one run or of several that were stopped; nothing here was
typed. Nested cross-validation: settings and recalibration are chosen inside the training part of each outer fold,
each system tries as many settings as the others, and every figure is of patients that a model did not learn from.
Figures are of the first repeat; the AUCs of all repeats stand beside, where there is a second one: simple systems run
it, for one of them is served. `served` takes of each outer fold the simple system that its inner folds favoured; the
baseline is a straight logistic regression. Tables are parts of the published ones (see `docs/tables.md`). Bootstraps
draw 1,000 times, those of systems that are neither served nor the baseline 200 times. Avoided biopsies and the
sensitivity beside them are at thresholds that other folds chose; each interval is the wider of the exact one and the
one that holds the luck of that choice.

Two things make METABRIC's figures look a little better than they are. `interactions` was added after figures of the
same patients had been seen, which nested cross-validation cannot undo. And `subtype` is PAM50 of expression on METABRIC
and TCGA-BRCA, with Basal taken for triple negative, while a hospital mostly knows a surrogate from receptors, which
agrees in part (the card of the bundle says how far).
"""
LOW: Final = str(Goal("sensitivity", 0.95))
_COLUMNS: Final = (
    "| system | AUC (95 %) | AUC of repeats | difference to baseline (95 %) | p (Holm) | slope (95 %) |"
    " ECE (by luck up to) | Brier | avoided at the threshold for sensitivity 0.95 | sensitivity there |\n"
    + "|-" * 10
    + "|"
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
        point = summary["operating_points"][LOW]
        lines.append(
            f"| {name} | {span(summary['discrimination']['auc'])} | {repeats} | {difference} |"
            f" {adjusted.get(name, '–')} | {span(summary['calibration']['slope'], 2)} |"
            f" {error['value']:.3f} ({error['by_luck']:.3f}) | {summary['scores']['brier']['value']:.3f} |"
            f" {span(cautious(point, 'biopsies_avoided'))} | {span(cautious(point, 'sensitivity'))} |"
        )
    return "\n".join(lines)


def _holm(systems: Json) -> dict[str, str]:
    """Return p-values of the differences to the baseline, adjusted for how many systems are compared with it."""
    p = {n: one["summary"]["against"][BASELINE]["p"] for n, one in systems.items() if one["summary"]["against"]}
    return {name: f"{value:.3f}" for name, value in zip(p, holm(list(p.values())), strict=True)} if p else {}


def write(results: Json, folder: Path) -> Path:
    """Write RESULTS.md, figures.json and a PNG of the served system on each table."""
    folder.mkdir(parents=True, exist_ok=True)
    said = verdict(figures_of(results))
    parts = [_HEAD, _figures(said)]
    for judged in results["questions"]:
        parts.append(_question(judged))
        served, picture = judged["systems"][SERVED]["summary"], f"figures/{judged['question']}.png"
        save(served, folder / picture, title=f"{judged['question']}, served")
        parts.append(f"![]({picture})")
    for arm, summary in results["nsln"]["arms"].items():
        save(summary, folder / f"figures/nsln_{arm}.png", title=f"nsln, {arm}, synthetic patients")
    parts += [chapters.groups(results["simpler"])] if results["simpler"] else []
    parts += [chapters.genes(results["genes"]), chapters.nsln(results["nsln"])]
    parts += [chapters.across(results["across"]), chapters.places(results["places"])]
    parts += [chapters.shuffled(results["shuffled"]), chapters.bundle(results["bundle"])]
    path = folder / "RESULTS.md"
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    (folder / "figures.json").write_text(json.dumps(said, indent=1) + "\n")
    return path


def _figures(said: Json) -> str:
    lines = [
        f"| `{name}` | {'–' if one['value'] is None else format(one['value'], '.4g')} | {BOUNDS.get(name, '')} |"
        for name, one in said["figures"].items()
    ]
    fallen = {name: one["value"] for name, one in said["figures"].items() if not one.get("holds", True)}
    below = ", ".join(f"`{name}`" for name, value in fallen.items() if value is not None)
    lacking = ", ".join(f"`{name}`" for name, value in fallen.items() if value is None)
    held = f"Not held: {below}." if below else "Every bound that was measured holds."
    held += f" Not measured: {lacking}." if lacking else ""
    return "\n".join(["## Figures\n", f"{held}\n", "| figure | value | bound |\n|-|-|-|", *lines])


def _question(judged: Json) -> str:
    served = judged["systems"][SERVED]["summary"]
    fifth = min(served["abstention"], key=lambda at: abs(at["asked"] - 0.2))
    return (
        f"\n## {judged['question']}\n\n{judged['patients']} patients, {judged['prevalence']:.3f} positive: "
        f"{judged['label']}. Licence: {judged['licence']}. Facts: {', '.join(judged['facts'])}.{_stand_in(judged)}\n\n"
        f"{compared(judged)}\n{_absent(judged)}\n{_best(judged['best_simple'])} "
        f"With the fifth of patients whose interval is widest left out, the AUC of the served system is"
        f" {span(fifth['auc'])}, a gain of {span(fifth['gain'])}: "
        f"{'higher' if fifth['gain']['low'] > 0 else 'not shown to be higher'}.\n"
    )


def _best(found: Json) -> str:
    return (
        f"The best of the simple systems turned out to be `{found['system']}`; `served` minus it: "
        f"{span(found['difference'])} (paired; p {found['p']:.2g}, adjusted for their number)."
    )


def _stand_in(judged: Json) -> str:
    if not judged["question"].endswith("burden") and judged["table"] != "gbsg2":
        return ""
    return " No public table has the label of `nsln`; nodal burden among node-positive patients stands in for it here."


def _absent(judged: Json) -> str:
    """Name the systems that were not run."""
    absent = [f"`{name}`" for name in SYSTEMS if name not in judged["systems"]]
    return f"\nNot run: {', '.join(absent)}.\n" if absent else ""
