"""The bundle `aln-clinical`: facts alone, learnt from METABRIC and TCGA-BRCA, as the agent reads it."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np

from agent.core.manifest import SCHEMA, FactSpec, parse_manifest
from agent.core.manifest import Tensor as TensorSpec
from models import export as exporting
from models.statistics.operating import MEASURES, Goal
from models.statistics.plots import span
from models.statistics.recalibration import Logistic
from models.statistics.report import cautious, summarise
from models.statistics.splits import Split
from models.tables.table import Table
from models.tabular.figures import subgroups
from models.tabular.graph import ServedNetwork, measured
from models.tabular.hospital import CHANGES, basal_triple_negative
from models.tabular.nested import Plan, Trained, splits, tune
from models.tabular.pooled import FACTS, band_medians, harmonise, pool
from models.tabular.systems import BASELINE, SYSTEMS, Linear, System, grid, linear

Json = dict[str, Any]
NAME: Final = "aln-clinical"
VERSION: Final = "1.0.0"
CARD: Final = Path(__file__).with_name("MODEL_CARD.md")
BUNDLES: Final = Path("models/bundles")
OUTPUTS: Final = ("logit", "logit_sd", "contributions")
SYSTEM: Final = System(
    "served",
    grid(C=(0.03, 0.1), knots=(0, 4), crossed=(False, True), gaps=(False,)),
    linear,
    simple=True,
)
"""No column says that a fact is missing: which facts a table lacks says nothing of a patient."""
METHODS: Final = ("platt", "none")  # what the graph can do
LOW: Final = str(Goal("sensitivity", 0.95))
HIGH: Final = str(Goal("specificity", 0.90))


@dataclass(frozen=True)
class Served:
    """What is exported: the final model, and what its like reached on patients that they did not learn from."""

    table: Table
    trained: Trained
    evaluation: Json


def train(metabric: Table, tcga: Table, plan: Plan, draws: int = 1000) -> Served:
    """Evaluate by nested cross-validation over both tables, then train on all of them."""
    medians = band_medians(metabric)
    table = pool([harmonise(one, FACTS, medians) for one in (metabric, tcga)])
    plan = replace(plan, repeats=1, budget=max(plan.budget, len(SYSTEM.settings)) if plan.budget > 1 else 1)
    found, folds = np.empty(len(table.labels)), np.empty(len(table.labels), int)
    changes = {name: change(table, plan.seed) for name, change in CHANGES.items()}
    elsewhere = {name: np.empty(len(table.labels)) for name in CHANGES}
    baseline = np.empty(len(table.labels))
    widths = np.empty(len(table.labels))
    for split in splits(table.labels, plan):
        one = tune(SYSTEM, table, split, plan, plan.seed, METHODS)
        values = table.values[split.test]
        found[split.test], folds[split.test] = one.probabilities(values), split.fold
        widths[split.test] = one.widths(values)
        baseline[split.test] = tune(SYSTEMS[BASELINE], table, split, plan, plan.seed).probabilities(values)
        for name, column in elsewhere.items():
            column[split.test] = one.probabilities(changes[name][split.test])
    summary = summarise(
        table.labels,
        found,
        folds=folds,
        seed=plan.seed,
        subgroups=subgroups(table),
        uncertainty=widths,
        against={BASELINE: baseline, **elsewhere},
        draws=draws,
    )
    summary["basal_triple_negative"] = basal_triple_negative(table)
    everyone = np.arange(len(table.labels))
    trained = tune(SYSTEM, table, Split(everyone, np.arange(0)), plan, plan.seed, METHODS)
    summary["widest"] = float(np.quantile(widths, 0.99))
    return Served(table, trained, summary)


def export(served: Served, folder: Path) -> Json:
    """Write the bundle; return its folder, size and parity.

    Raises
    ------
    ParityError
        If the graph computes something else than the network.
    """
    specs = fact_specs(served.table)
    model, fitted = served.trained.model, served.trained.recalibration.map
    if not isinstance(model, Linear):
        raise TypeError("only a linear model knows its own spread")
    network = ServedNetwork(model, fitted if isinstance(fitted, Logistic) else None, specs)
    cases = [_inputs(len(specs), count, count) for count in (1, 2, 7)]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        dynamic = {"clinical": {0: "N"}, "clinical_present": {0: "N"}}
        exporting.write_onnx(network, _inputs(len(specs), 3, 0), OUTPUTS, dynamic, path)
        parity = exporting.check_parity(network, path, cases, OUTPUTS)
        graph, golden = path.read_bytes(), exporting.golden(path, cases[-1])
    manifest = json.loads(json.dumps(describe(served, specs, parity)))
    parse_manifest(manifest | {"files": {}})
    files = {
        "model.onnx": graph,
        "golden.npz": golden,
        "evaluation.json": (json.dumps(served.evaluation, indent=1) + "\n").encode(),
        "MODEL_CARD.md": card(served).encode(),
    }
    exporting.write_bundle(folder, files, manifest)
    return {"bundle": str(folder), "bytes": sum(len(content) for content in files.values()), "parity": parity}


def fact_specs(table: Table) -> tuple[FactSpec, ...]:
    """How the agent turns each of its facts into a number."""
    found = []
    for fact, column in zip(table.facts, table.values.T, strict=True):
        known = column[~np.isnan(column)]
        low, high = float(known.min()), float(known.max())
        mean, sd = (0.0, 1.0) if fact.is_category else (float(known.mean()), float(known.std()))
        for name in measured(fact.name):
            found.append(FactSpec(name, fact.unit, fact.values, round(mean, 4), round(sd, 4), low, high))
    return tuple(found)


def describe(served: Served, specs: Sequence[FactSpec], parity: float) -> Json:
    """Everything the manifest says, the digests apart."""
    points, facts = served.evaluation["operating_points"], ("N", len(specs))
    return {
        "schema": SCHEMA,
        "name": NAME,
        "version": VERSION,
        "question": "aln",
        "intended_use": "research",
        "label": served.table.label,
        "modalities": ["clinical"],
        "required": ["clinical"],
        "inputs": [
            asdict(TensorSpec("clinical", "float32", facts, "N F", -100.0, 100.0)),
            asdict(TensorSpec("clinical_present", "float32", facts, "N F", 0.0, 1.0)),
        ],
        "outputs": [
            asdict(TensorSpec("logit", "float32", ("N",), "N", -30.0, 30.0)),
            asdict(TensorSpec("logit_sd", "float32", ("N",), "N", 0.0, 30.0)),
            asdict(TensorSpec("contributions", "float32", ("N", 2), "N prior+modalities", -30.0, 30.0)),
        ],
        "facts": [asdict(spec) for spec in specs],
        "preprocessing": {},
        "operating_points": [_point("low", points[LOW]), _point("high", points[HIGH])],
        "training_prevalence": float(served.table.labels.mean()),
        "training": {
            "summary": f"{len(served.table.labels)} patients of METABRIC and TCGA-BRCA",
            "licence_of_data": served.table.licence,
            "setting": dict(served.trained.setting),
            "recalibration": served.trained.recalibration.method,
            "commit": exporting.training_commit(),
            "parity": parity,
        },
        "metrics": {
            "auc": served.evaluation["discrimination"]["auc"],
            "calibration_slope": served.evaluation["calibration"]["slope"],
            "widest_interval": served.evaluation["widest"],
        },
        "opset": exporting.OPSET,
        "licence": "ODbL 1.0 for what is derived from METABRIC; code Apache-2.0",
    }


def card(served: Served) -> str:
    """Fill the figures of the evaluation into the card."""
    known = served.evaluation
    spared = [
        f"| {goal} | " + " | ".join(span(cautious(at, one)) for one in MEASURES) + " |"
        for goal, at in known["operating_points"].items()
    ]
    fifth = min(known["abstention"], key=lambda at: abs(at["asked"] - 0.2))
    higher = fifth["gain"]["low"] > 0
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        version=VERSION,
        patients=len(served.table.labels),
        prevalence=f"{served.table.labels.mean():.3f}",
        auc=span(known["discrimination"]["auc"]),
        more=span(known["against"][BASELINE]["auc"]),
        slope=span(known["calibration"]["slope"]),
        ece=f"{known['calibration']['ece']['equal_count']['value']:.3f}",
        luck=f"{known['calibration']['ece']['equal_count']['by_luck']:.3f}",
        spared="\n".join(spared),
        subgroups="\n".join(
            f"| {row['variable']}: {row['level']} | {row['rows']} | {span(row['auc']) if row['auc'] else 'too few'} |"
            for row in known["subgroups"]
        ),
        abstention=f"{span(fifth['auc'])}, a gain of {span(fifth['gain'])}",
        higher="it is higher" if higher else "it is not shown to be higher",
        elsewhere="\n".join(f"| {name} | {span(known['against'][name]['auc'])} |" for name in CHANGES),
        basal=f"{known['basal_triple_negative'][0]} of {known['basal_triple_negative'][1]}",
        licence=served.table.licence,
    )


def _point(name: str, found: Json) -> Json:
    sensitivity, specificity = found["exact"]["sensitivity"]["value"], found["exact"]["specificity"]["value"]
    return {
        "name": name,
        "threshold": float(np.mean(found["thresholds"])),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "by_inputs": {"clinical": [sensitivity, specificity]},
    }


def _inputs(facts: int, count: int, seed: int) -> exporting.Arrays:
    rng = np.random.default_rng(seed)
    present = (rng.random((count, facts)) < 0.7).astype(np.float32)
    return {"clinical": rng.integers(0, 3, (count, facts)).astype(np.float32) * present, "clinical_present": present}
