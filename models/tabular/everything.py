"""What `make models-tables` does: every system on every table, the harder tests, the bundle and RESULTS.md."""

import json
import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from models.fusion.parallel import spread
from models.fusion.progress import Progress
from models.genes import tables
from models.tables.catalogue import load
from models.tabular import nsln, report, served, transport
from models.tabular.figures import COMPARED_DRAWS, judge
from models.tabular.study import EVERY, SERVED, SIMPLER, Question, Study
from models.tabular.systems import BASELINE, SIMPLE, SYSTEMS
from models.tabular.verdict import figures_of, verdict

Json = dict[str, Any]
HERE: Final = Path(__file__).parent
_QUICK: Final = (Question("metabric"), Question("tcga"))


def everything(study: Study, systems: Sequence[str] = tuple(SYSTEMS), *, quick: bool = False) -> Json:
    """Do all of it; what a stopped run has done is not done again. Return the verdict.

    Simple systems are always among those compared.

    A quick one takes simple systems on two tables, and leaves RESULTS.md and the bundle beside its other results.
    """
    questions, simpler = (_QUICK, ()) if quick else (EVERY, SIMPLER)
    systems = SIMPLE if quick else tuple(dict.fromkeys((*SIMPLE, *systems)))
    draws, seeds = (50, 3) if quick else (1000, 20)
    study.train((*questions, *simpler), SIMPLE)
    study.train(questions, systems)
    genes = tables.studies(study.data, study.out, study.processes, quick=quick)
    noise = [tables.evaluate(one, quick=quick) for one in genes]
    before = _spent()
    results: Json = {
        "questions": _judged(study, questions, (SERVED, *systems), draws),
        "simpler": _judged(study, simpler, (SERVED, BASELINE), min(draws, COMPARED_DRAWS)),
        "genes": [tables.judged(g, n, draws, quick=quick) for g, n in zip(genes, noise, strict=True)],
        "nsln": nsln.compared(replace(study.plan, repeats=1), patients=300 if quick else 1000, draws=draws),
        **_harder(study, seeds, draws, quick=quick),
        "bundle": _bundle(study, draws, study.out if quick else served.BUNDLES),
    }
    results["cpu_seconds"] = _trained(results) + _spent() - before
    (study.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    path = report.write(results, study.out if quick else HERE)
    print(f"wrote {path}")
    return verdict(figures_of(results))


def _spent() -> float:
    """Return the processor time in seconds of this process and of those that it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _trained(results: Json) -> float:
    """Return the processor time in seconds of every outer fold, whenever it ran; what is served is put together."""
    systems = [judged["systems"] for judged in results["questions"]]
    alone = sum(one["cpu_seconds"] for by_name in systems for name, one in by_name.items() if name != SERVED)
    simpler = sum(judged["systems"][SERVED]["cpu_seconds"] for judged in results["simpler"])
    return float(alone + simpler + sum(judged["cpu_seconds"] for judged in results["genes"]))


def _judged(study: Study, questions: Sequence[Question], systems: tuple[str, ...], draws: int) -> list[Json]:
    progress, found = Progress("figures", max(1, len(questions))), {}
    for index, one in spread(judge, [(study, question, systems, draws) for question in questions], study.processes):
        found[index] = one
        (study.out / questions[index].name / "figures.json").write_text(json.dumps(one, indent=1) + "\n")
        progress.show(len(found), questions[index].name)
    return [found[index] for index in range(len(questions))]


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
        "more": made.evaluation["against"][BASELINE]["auc"],
        "slope": made.evaluation["calibration"]["slope"],
        **written,
    }
