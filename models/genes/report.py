"""A judgement as Markdown, to stand in a page of results."""

from typing import Any

from models.genes.systems import CLINICAL, ELASTIC_NET
from models.statistics.report import cautious

Json = dict[str, Any]


def markdown(judged: Json) -> str:
    """Return a section: every system, its AUC by subtype where the table has them, and the verdict."""
    by_pair = {(one["system"], one["against"]): one for one in judged["paired"]}
    rows = [
        f"| `{name}` | {_interval(one['summary']['discrimination']['auc'])} | {_more(by_pair.get((name, CLINICAL)))} "
        f"| {_more(by_pair.get((name, ELASTIC_NET)))} | {one['summary']['scores']['brier']['value']:.3f} "
        f"| {_interval(one['summary']['calibration']['slope'], 2)} | {_avoided(one['summary'])} |"
        for name, one in judged["systems"].items()
    ]
    return "\n".join(
        [
            f"### {judged['table']} with {judged['genes']:,} genes",
            "",
            f"{judged['patients']:,} patients, {judged['prevalence']:.0%} with the outcome: {judged['label']}.",
            "",
            "| system | AUC | more than clinical | more than elastic net | Brier | slope | avoided at 0.90 |",
            "|-|-|-|-|-|-|-|",
            *rows,
            "",
            *_subtypes(judged),
            *(f"- {sentence}" for sentence in judged["verdict"]),
            "",
        ]
    )


def _subtypes(judged: Json) -> list[str]:
    levels = {
        name: {row["level"]: row for row in one["summary"]["subgroups"] if row["variable"] == "subtype"}
        for name, one in judged["systems"].items()
    }
    known = next(iter(levels.values()))
    if not known:
        return []
    head = " | ".join(f"{level} ({row['rows']})" for level, row in known.items())
    rows = [
        f"| `{name}` | " + " | ".join(_interval(row["auc"]) if row["auc"] else "too few" for row in own.values()) + " |"
        for name, own in levels.items()
    ]
    return [f"| AUC by subtype | {head} |", "|-" * (len(known) + 1) + "|", *rows, ""]


def _interval(found: Json, digits: int = 3) -> str:
    return f"{found['value']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def _more(pair: Json | None) -> str:
    return f"{pair['difference']:+.3f} ({pair['low']:+.3f} to {pair['high']:+.3f})" if pair else ""


def _avoided(summary: Json) -> str:
    return _interval(cautious(summary["operating_points"]["sensitivity >= 0.90"], "biopsies_avoided"))
