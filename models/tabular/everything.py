"""What `make models-tables` does: every system on every table, the harder tests, the bundle and RESULTS.md."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from models.fusion.progress import Progress
from models.tables.catalogue import load
from models.tabular import report, served, transport
from models.tabular.figures import judge
from models.tabular.study import EVERY, SERVED, SIMPLER, Question, Study
from models.tabular.systems import BASELINE, SIMPLE, SYSTEMS

Json = dict[str, Any]
HERE: Final = Path(__file__).parent
_QUICK: Final = (Question("metabric"), Question("tcga"))


def everything(study: Study, systems: Sequence[str] = tuple(SYSTEMS), *, quick: bool = False) -> Json:
    """Do all of it; what a stopped run has done is not done again. Return the figures.

    Simple systems are always among those compared.

    A quick one takes simple systems on two tables, and leaves RESULTS.md and the bundle beside its other results.
    """
    questions, simpler = (_QUICK, ()) if quick else (EVERY, SIMPLER)
    systems = SIMPLE if quick else tuple(dict.fromkeys((*SIMPLE, *systems)))
    draws, seeds = (100, 3) if quick else (1000, 20)
    study.train((*questions, *simpler), SIMPLE)
    study.train(questions, systems)
    results: Json = {
        "questions": _judged(study, questions, (SERVED, *systems), draws),
        "simpler": _judged(study, simpler, (SERVED, BASELINE), draws),
        **_harder(study, seeds, draws, quick=quick),
        "bundle": _bundle(study, draws, study.out if quick else served.BUNDLES),
    }
    path = report.write(results, study.out if quick else HERE)
    print(f"wrote {path}")
    return results


def _judged(study: Study, questions: Sequence[Question], systems: tuple[str, ...], draws: int) -> list[Json]:
    progress, found = Progress("figures", max(1, len(questions))), []
    for done, question in enumerate(questions, start=1):
        found.append(judge(study, question, systems, draws))
        (study.out / question.name / "figures.json").write_text(json.dumps(found[-1], indent=1) + "\n")
        progress.show(done, question.name)
    return found


def _harder(study: Study, seeds: int, draws: int, *, quick: bool) -> Json:
    metabric, tcga = load("metabric", study.data), load("tcga", study.data)
    places = (metabric,) if quick else (metabric, tcga, load("rotterdam", study.data))
    return {
        "across": transport.across_tables(metabric, tcga, study.plan, draws),
        "places": {table.name: transport.other_places(table, study.plan) for table in places},
        "shuffled": transport.shuffled(metabric, study.plan, seeds),
    }


def _bundle(study: Study, draws: int, into: Path) -> Json:
    metabric, tcga = load("metabric", study.data), load("tcga", study.data)
    made = served.train(metabric, tcga, replace(study.plan, repeats=1), draws)
    name = f"{served.NAME}-{served.VERSION}"
    written = served.export(made, into / name)
    return {
        "name": name,
        "patients": len(made.table.labels),
        "auc": made.evaluation["discrimination"]["auc"],
        "slope": made.evaluation["calibration"]["slope"],
        **written,
    }
