"""python -m models.genes train | evaluate | compare | noise --table metabric: the commands of the gene systems.

train     fits one system on all patients and keeps the network (Transformers only)
evaluate  runs the outer folds of nested cross-validation that are not yet there
compare   puts them together: figures, pairs against clinical only and elastic net, a verdict; JSON and Markdown
noise     trains with a planted noise predictor and measures what the system makes of it
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from models.genes.gmt import BadGmt, read_gmt
from models.genes.judge import judge, lines
from models.genes.noise import check
from models.genes.report import markdown
from models.genes.study import OUT, PLAN, QUICK_OPTIONS, QUICK_PLAN, TABLES, WITHIN, Study
from models.genes.systems import TRANSFORMERS, Options, catalogue
from models.genes.tables import SYSTEMS
from models.genes.train import train
from models.tables.catalogue import DATA


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    found = argparse.ArgumentParser(
        prog="python -m models.genes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = tuple(catalogue(Options()))
    found.add_argument("command", choices=("train", "evaluate", "compare", "noise"))
    found.add_argument("--table", choices=TABLES, required=True)
    found.add_argument("--system", action="append", choices=(*names, *(name + WITHIN for name in names)))
    found.add_argument("--quick", action="store_true", help="few folds, epochs and genes: to see that it runs")
    found.add_argument("--data", type=Path, default=DATA)
    found.add_argument("--out", type=Path, default=OUT)
    found.add_argument("--sets", type=Path, help="GMT file for the sparse network; else modules of the expression")
    found.add_argument("--top-genes", type=int, default=0, help="read the genes that vary most only; 0 for all")
    found.add_argument("--epochs", type=int, help="most that a network learns")
    found.add_argument("--folds", type=int)
    found.add_argument("--repeats", type=int, help="figures are of the first; the others show the spread of AUC")
    found.add_argument("--budget", type=int, help="settings that each system tries, 1 to 4")
    found.add_argument("--processes", type=int, default=1)
    found.add_argument("--seed", type=int)
    return found


def study_of(given: argparse.Namespace) -> Study:
    """Return what the command line asks for.

    Raises
    ------
    BadGmt
        If the gene sets cannot be read.
    """
    plan, options = (QUICK_PLAN, QUICK_OPTIONS) if given.quick else (PLAN, Options())
    chosen = {name: getattr(given, name) for name in ("folds", "repeats", "budget", "seed")}
    plan = replace(plan, **{name: value for name, value in chosen.items() if value is not None})
    options = replace(
        options,
        training=replace(options.training, epochs=given.epochs or options.training.epochs),
        sets=read_gmt(given.sets) if given.sets else (),
        top_genes=given.top_genes or options.top_genes,
    )
    out = given.out / "quick" if given.quick else given.out
    return Study(given.table, given.data, out, plan, options, given.processes)


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    given = parser().parse_args(arguments)
    try:
        study = study_of(given)
    except BadGmt as error:
        print(error, file=sys.stderr)
        return 2
    if given.command == "evaluate":
        study.evaluate(given.system or SYSTEMS)
    elif given.command == "compare":
        judged = judge(study, tuple(given.system or SYSTEMS), draws=100 if given.quick else 1000)
        (study.folder / "figures.json").write_text(json.dumps(judged, indent=1))
        (study.folder / "RESULTS.md").write_text(markdown(judged))
        print("\n".join(lines(judged)))
    elif given.command == "noise":
        for name in given.system or ("transformer",):
            print(f"{name}: {json.dumps(check(study, name, shuffles=20 if given.quick else 200))}")
    else:
        for name in given.system or ("transformer",):
            if name not in TRANSFORMERS:
                print(f"{name} is evaluated, not kept: one of {', '.join(TRANSFORMERS)} is", file=sys.stderr)
                return 2
            print(f"wrote {train(study, name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
