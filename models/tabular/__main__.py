"""python -m models.tabular train | evaluate | compare | predict | all: tables of facts to figures and a bundle."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.tables.catalogue import DATA, SOURCES
from models.tables.table import IMAGING, NODE_READING, SIZE
from models.tabular.figures import judge
from models.tabular.nested import QUICK
from models.tabular.report import compared
from models.tabular.study import OUT, SERVED, Question, Study
from models.tabular.systems import BASELINE, SIMPLE, SYSTEMS

_COMMANDS = ("train", "evaluate", "compare", "predict", "all")
GROUPS = (SIZE, IMAGING, NODE_READING)


def main(arguments: list[str] | None = None) -> None:
    """Run one command."""
    given = _parser().parse_args(arguments)
    study = Study(given.data, given.out, processes=given.processes) if given.processes else Study(given.data, given.out)
    study = replace(study, plan=QUICK, out=study.out / "quick") if given.quick else study
    if given.command == "all":
        from models.tabular.everything import everything

        said = everything(study, tuple(given.system) or tuple(SYSTEMS), quick=given.quick)
        print(json.dumps(said))
        sys.exit(not (said["holds"] or given.quick))
    elif given.command == "predict" or (given.command == "evaluate" and given.bundle is not None):
        _score(given)
    else:
        _on_table(given, study)


def _on_table(given: argparse.Namespace, study: Study) -> None:
    if given.table is None:
        raise SystemExit("which table? --table " + " | ".join(SOURCES))
    if given.label and given.label not in SOURCES[given.table].labels:
        raise SystemExit(f"{given.table} has no label {given.label}; it has {', '.join(SOURCES[given.table].labels)}")
    if not (given.data / SOURCES[given.table].path).exists():
        raise SystemExit(f"{given.data / SOURCES[given.table].path}: there is no such table; where is --data?")
    question = Question(given.table, given.label, tuple(given.without))
    every = SIMPLE if given.quick else tuple(SYSTEMS)
    systems = tuple(given.system) or every
    if given.command == "compare":
        systems = tuple(dict.fromkeys((*systems, *SIMPLE)))
    study.train([question], systems)
    if given.command == "train":
        return
    wanted = (SERVED, *systems) if set(SIMPLE) <= set(systems) else systems
    judged = judge(study, question, wanted, draws=200 if given.quick else 1000)
    path = study.out / question.name / "figures.json"
    path.write_text(json.dumps(judged, indent=1) + "\n")
    print(compared(judged) if given.command == "compare" else json.dumps(_short(judged), indent=1))
    print(f"everything: {path}")


def _short(judged: dict[str, Any]) -> dict[str, Any]:
    """Leave out the curves."""
    systems = judged["systems"]
    kept = ("prevalence", "discrimination", "calibration", "scores", "operating_points", "against")
    drawn = {"roc", "reliability"}
    figures = {name: {k: _plain(one["summary"][k], drawn) for k in kept} for name, one in systems.items()}
    return judged | {"systems": figures}


def _plain(figures: Any, drawn: set[str]) -> Any:
    return {name: value for name, value in figures.items() if name not in drawn}


def _score(given: argparse.Namespace) -> None:
    from agent.core.errors import Permanent
    from models.tabular import score

    if given.bundle is None or given.csv is None or given.mapping is None:
        raise SystemExit(f"{given.command} on a table of your own needs --bundle, --csv and --mapping")
    asked = given.bundle, given.csv, given.mapping
    try:
        if given.command == "predict":
            print(f"wrote {score.predict(*asked, given.out / 'predictions.csv')}")
        else:
            print(json.dumps(score.evaluate(*asked, given.out, draws=200 if given.quick else 1000), indent=1))
    except (score.MappingError, Permanent) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"{error.filename}: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.tabular", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("--table", choices=list(SOURCES))
    parser.add_argument("--label", default="", help="another label of the table than its own")
    parser.add_argument("--without", action="append", default=[], choices=GROUPS, help="a group of facts to leave out")
    parser.add_argument("--system", action="append", default=[], choices=list(SYSTEMS), help=f"baseline: {BASELINE}")
    parser.add_argument("--quick", action="store_true", help="few folds, one setting each, simple systems")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--processes", type=int, default=0, help="as many as there are processors where not given")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle to score on --csv by --mapping")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--mapping", type=Path, help="YAML: see docs/tables.md")
    return parser


if __name__ == "__main__":
    main()
