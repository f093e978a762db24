"""The later sections of RESULTS.md: fewer facts, genes, C and CA, other tables and places, and the bundle."""

from typing import Any, Final

from models.genes.report import markdown
from models.genes.tables import SYSTEMS
from models.statistics.plots import span
from models.tabular.study import SERVED
from models.tabular.systems import BASELINE

Json = dict[str, Any]
_GENES: Final = """
## Genes

Expression with facts, against facts alone and against an elastic net on both, on the two tables that have expression;
TCGA-BRCA's table here has none. Each system tries two settings in two inner folds of the first repeat's five outer
ones, half of what the systems above try, for want of time. `pathways` masks by modules of genes that rise and fall
together in the training patients: no pathway's membership is in it. What the systems are: `docs/genes.md`.
"""
_NSLN: Final = """
## C and CA: beyond the sentinel node

No public table has the label of `nsln`, so the nested models are compared on **synthetic** patients: facts (C), and
facts with the cortex and hilum of the node on ultrasound (CA). Their label is defined on the phantom's score and says
nothing of patients. A nomogram of the MSKCC's kind cannot be computed: the phantom has no count of sentinel nodes and
no size of their metastasis. Burden among node-positive patients of METABRIC, Rotterdam and GBSG2 (above) stands in for
the question on real tables; these have no ultrasound of the axilla, so that they know C alone.
"""


def groups(simpler: list[Json]) -> str:
    """Say what is left where a group of facts is left out."""
    lines = [
        f"| {one['question']} | {len(one['facts'])} | {_area(one, SERVED)} | {_area(one, BASELINE)} |"
        for one in simpler
    ]
    head = "\n## With fewer facts\n\n| question | facts | served | baseline |\n|-|-|-|-|\n"
    return head + "\n".join(lines)


def _area(judged: Json, system: str) -> str:
    return span(judged["systems"][system]["summary"]["discrimination"]["auc"])


def across(found: Json) -> str:
    """Say what a model of one table is worth on the other."""
    lines = [
        f"| {how} | {span(one['auc'])} | {one['auc_of_its_own']:.3f} | {span(one['drop'])} | {span(one['slope'], 2)} |"
        f" {span(one['in_the_large'], 2)} |"
        for how, one in found.items()
        if how != "facts"
    ]
    head = (
        f"\n## From one table to the other\n\nThe same inputs mapped: {', '.join(found['facts'])}.\n\n"
        "| trained on, tested on | AUC | AUC of cross-validation inside the tested table | difference | slope |"
        " calibration in the large |\n|-|-|-|-|-|-|\n"
    )
    return head + "\n".join(lines)


def places(found: Json) -> str:
    """Say what is left at a site, or in years, that a model did not see."""
    lines = [
        f"| {table} | {name} | {one['patients']} | {span(one['auc'])} |"
        for table, by_name in found.items()
        for name, one in by_name.items()
    ]
    head = "\n## Other sites, later years\n\n| table | scored | patients | AUC |\n|-|-|-|-|\n"
    return head + "\n".join(lines)


def shuffled(found: Json) -> str:
    """Say what labels without meaning gave."""
    return (
        f"\n## Shuffled labels\n\nMETABRIC with labels dealt anew, {found['seeds']} seeds: mean AUC "
        f"{found['mean_auc']:.3f}, {found['inside']} of {found['seeds']} within their interval around 0.5."
    )


def bundle(found: Json) -> str:
    """Say what was exported."""
    return (
        f"\n## The bundle\n\n`{found['name']}`, {found['patients']} patients of METABRIC and TCGA-BRCA: AUC "
        f"{span(found['auc'])} under nested cross-validation, {span(found['more'])} more than a straight logistic "
        f"regression; slope {span(found['slope'], 2)}; parity of its graph {found['parity']:.1e}."
    )


def genes(judged: list[Json]) -> str:
    """Say what expression adds, and whether a predictor without meaning was believed."""
    return _GENES + "\n" + "\n".join(markdown(one) + _noise(one) + _absent(one) for one in judged)


def _noise(judged: Json) -> str:
    return "".join(
        f"- a planted {fact.replace('_', ' ')} (standard normal numbers) was worth {said['drop']:+.4f} of AUC to the"
        f" Transformer, by chance up to {said['chance']:.4f} (permutation test, p {said['p']:.2g})\n"
        for fact, said in judged["noise"].items()
    )


def _absent(judged: Json) -> str:
    absent = [f"`{name}`" for name in SYSTEMS if name not in judged["systems"]]
    return f"- not run: {', '.join(absent)}\n" if absent else ""


def nsln(found: Json) -> str:
    """Say what axillary ultrasound adds to facts on synthetic patients."""
    lines = [
        f"| {arm} | {span(one['discrimination']['auc'])} | {found['best'][arm]:.3f} | {found['share'][arm]:.2f} |"
        f" {_more(one)} | {span(one['calibration']['slope'], 2)} | {one['scores']['brier']['value']:.3f} |"
        for arm, one in found["arms"].items()
    ]
    head = (
        f"\n{found['patients']:,} synthetic patients, {found['prevalence']:.3f} positive: {found['label']}.\n\n"
        "| model | AUC | best possible | share of the excess | more than C (paired) | slope | Brier |\n"
        + "|-" * 7
        + "|\n"
    )
    pictures = " ".join(f"![](figures/nsln_{arm}.png)" for arm in found["arms"])
    return _NSLN + head + "\n".join(lines) + f"\n\n{pictures}"


def _more(summary: Json) -> str:
    against = summary["against"].get("C")
    return f"{span(against['auc'])}, p {against['p']:.2g}" if against else "–"
