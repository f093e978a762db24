"""Every gene system on every table that has genes, and the planted noise predictor: what a release is judged by."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from models.genes.judge import judge
from models.genes.noise import check
from models.genes.study import PLAN, QUICK_OPTIONS, QUICK_PLAN, Study
from models.genes.systems import CLINICAL, ELASTIC_NET, Options

Json = dict[str, Any]
SYSTEMS: Final = (CLINICAL, ELASTIC_NET, "pathways", "transformer", "guided", "pretrained")
QUICK_SYSTEMS: Final = (CLINICAL, ELASTIC_NET)
TOP_GENES: Final = {"metabric": 0, "gse4335": 2000}
"""By table how many genes are read, those that vary most among the training patients; 0 for all."""
PLANTED: Final = "metabric"
"""Where noise is planted: the other table has too few patients to tell it from chance."""


def studies(data: Path, out: Path, processes: int, *, quick: bool) -> list[Study]:
    """Return a study of each table; a quick one of METABRIC alone."""
    plan, options = (QUICK_PLAN, QUICK_OPTIONS) if quick else (PLAN, Options())
    return [
        Study(table, data, out, plan, replace(options, top_genes=top or options.top_genes), processes)
        for table, top in TOP_GENES.items()
        if table == PLANTED or not quick
    ]


def evaluate(study: Study, *, quick: bool) -> Json:
    """Run what is not yet there; return what the noise predictor was worth to the Transformer, nothing if quick."""
    study.evaluate(QUICK_SYSTEMS if quick else SYSTEMS)
    return check(study, "transformer") if study.table == PLANTED and not quick else {}


def judged(study: Study, noise: Json, draws: int, *, quick: bool) -> Json:
    """Return the judgement of a table's systems with the noise predictor beside it, and what all of it cost."""
    found = judge(study, QUICK_SYSTEMS if quick else SYSTEMS, draws)
    planted = [json.loads(path.read_text()) for path in study.folder.glob("*_noise/*.json")]
    seconds = sum(one["cpu_seconds"] for one in (*found["systems"].values(), *planted))
    return found | {"noise": noise, "cpu_seconds": seconds}
