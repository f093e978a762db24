"""The served bundle: what the agent loads and where it answers, and what a mapping of a stranger's table gets wrong."""

import csv
import json
from copy import copy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from agent.core.case import CaseState
from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.core.prediction import Estimate, NoEstimate
from agent.infer.admission import ActiveBundle
from agent.infer.compute import TOO_UNCERTAIN
from agent.infer.engine import Engine
from models.statistics.plots import span
from models.statistics.report import cautious
from models.tables.source import to_table
from models.tables.survset import ROTTERDAM
from models.tabular import graph, score, served
from models.tabular.__main__ import main
from models.tabular.nested import QUICK
from models.tabular.rules import MappingError
from tests.builders import mammogram
from tests.infer_scene import Scene, facts, findings
from tests.models.invented import invented_tables


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle exported from two tables that share some facts."""
    folder = tmp_path_factory.mktemp("bundles") / "aln-clinical-1.0.0"
    found = served.export(served.train(*invented_tables(), QUICK, draws=50), folder)
    assert found["parity"] <= 1e-4
    return folder


@pytest.fixture(scope="module")
def engine(bundle: Path) -> Engine:
    """The bundle as the agent loads it."""
    return Engine.load(bundle, "cpu")


def test_the_agent_loads_and_runs_the_bundle(bundle: Path) -> None:
    """Golden answers, tensors and digests hold; contributions add up to the logit; it is for research."""
    engine = Engine.load(bundle, "cpu")
    assert engine.identity.intended_use == "research"
    facts = len(engine.manifest.facts)
    nothing = np.zeros((1, facts), np.float32)
    answered = engine.run({"clinical": nothing, "clinical_present": nothing})
    assert answered["logit"][0] == pytest.approx(answered["contributions"][0].sum(), abs=1e-5)
    assert answered["contributions"][0, 1] == 0
    assert answered["logit_sd"][0] > 0


def test_the_card_has_the_baseline_and_every_subgroup(bundle: Path) -> None:
    """Beside its own AUC, and with intervals that hold the luck of choosing a threshold."""
    card, known = (bundle / "MODEL_CARD.md").read_text(), json.loads((bundle / "evaluation.json").read_text())
    assert f"straight logistic regression on the same folds: {span(known['against']['logistic']['auc'])}" in card
    assert all(f"| {name}: " in card for name in ("age", "size", "subtype", "er", "menopausal_status", "site"))
    assert span(cautious(known["operating_points"]["sensitivity >= 0.95"], "biopsies_avoided")) in card


def test_any_of_three_sizes_stands_for_the_size(bundle: Path) -> None:
    """The same number from either modality, or from all, gives the same answer."""
    engine = Engine.load(bundle, "cpu")
    names = [fact.name for fact in engine.manifest.facts]
    sizes = [names.index(name) for name in graph.SIZES]
    present = np.zeros((4, len(names)), np.float32)
    for row, known in enumerate((sizes[:1], sizes[1:2], sizes[2:], sizes)):
        present[row, known] = 1
    logits = engine.run({"clinical": present * 0.7, "clinical_present": present})["logit"]
    np.testing.assert_allclose(logits, logits[0], atol=1e-5)


REAL = PatientKey("HOSPITAL", "4711")
KNOWN = facts(size_ultrasound_mm=24.0, birth_date=date(1986, 1, 1), grade=1, er="positive")


def answered(engine: Engine, known: ClinicalFacts, *, send_research: bool) -> tuple[Scene, CaseState]:
    """Let a worker with this bundle alone answer for a real patient; return what is left and the case's state."""
    scene = Scene(engine, patient=REAL)
    case = scene.ready([mammogram("L", "CC")], findings(known))
    scene.worker(bundles=[ActiveBundle(engine, frozenset({"PHANTOM"}), send_research)]).step()
    return scene, scene.case(case).state


def test_it_answers_from_facts_alone_where_research_is_sent(engine: Engine) -> None:
    """With an interval, and without any image."""
    scene, state = answered(engine, KNOWN, send_research=True)
    (estimate,) = scene.result.answers
    assert isinstance(estimate, Estimate) and state is CaseState.DELIVERING
    assert (scene.result.model.name, scene.result.model.intended_use) == ("aln-clinical", "research")
    assert estimate.low < estimate.probability < estimate.high
    assert scene.result.used == ()


def test_it_is_silent_where_research_is_not_sent(engine: Engine) -> None:
    """Nothing is composed, and the case says why."""
    scene, state = answered(engine, KNOWN, send_research=False)
    assert state is CaseState.FAILED and not scene.compose.given


def test_without_facts_it_has_no_estimate(engine: Engine) -> None:
    """An image is no evidence for it."""
    scene, _ = answered(engine, ClinicalFacts(), send_research=True)
    (refusal,) = scene.result.answers
    assert isinstance(refusal, NoEstimate) and "nothing usable of clinical" in refusal.reason


def test_it_abstains_where_it_is_too_uncertain(engine: Engine) -> None:
    """The interval is wider than the bundle allows, whatever the site's prevalence makes of it."""
    metrics = {**engine.manifest.metrics, "widest_interval": 0.0}
    strict = copy(engine)
    strict.manifest = replace(engine.manifest, metrics=metrics)
    scene, _ = answered(strict, KNOWN, send_research=True)
    (refusal,) = scene.result.answers
    assert isinstance(refusal, NoEstimate) and refusal.reason == TOO_UNCERTAIN


RIGHT: dict[str, Any] = {
    "patient": "id",
    "label": {"column": "nodes", "at_least": 1},
    "facts": {
        "age": {"column": "Age", "unit": "years"},
        "size_ultrasound_mm": {"column": "cm", "unit": "cm"},
        "er": {"column": "ER", "values": {"pos": "positive", "neg": "negative"}},
    },
    "missing": ["-99"],
}
ROWS = [
    {"id": f"p{i}", "Age": 30 + i % 25, "cm": 1 + i % 9, "ER": ("pos", "neg", "-99")[i % 3], "nodes": (i % 9 > 4) * 2}
    for i in range(60)
]


def written(folder: Path, mapping: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Write a table and a mapping; return the options that name them."""
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "m.yaml").write_text(yaml.safe_dump(mapping))
    return ["--csv", str(folder / "t.csv"), "--mapping", str(folder / "m.yaml"), "--out", str(folder)]


def test_a_strangers_table_is_scored(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure is printed and kept, with a picture; size tells the outcome here too."""
    main(["evaluate", "--quick", "--bundle", str(bundle), *written(tmp_path, RIGHT, ROWS)])
    found = yaml.safe_load(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "evaluation.json").read_text())
    assert (tmp_path / "evaluation.png").stat().st_size > 1000
    assert found["figures"]["discrimination"]["auc"]["value"] > 0.8
    assert found["auc_without_abstention"]["value"] > 0.8
    assert found["known"]["er"] == 40 and found["known"]["grade"] == 0


def test_a_strangers_table_is_judged_at_every_threshold_of_the_bundle(bundle: Path, tmp_path: Path) -> None:
    """Those that reports state, and one for each sensitivity, all set on other patients; and by subgroup."""
    options = written(tmp_path, RIGHT, ROWS)
    figures = score.measure(bundle, Path(options[1]), Path(options[3]), draws=20)["figures"]
    goals = {f"sensitivity >= {level}" for level in ("0.90", "0.95", "0.98")} | {"specificity >= 0.90"}
    assert set(figures["fixed_thresholds"]) == {"low", "high", *goals}
    for point in figures["fixed_thresholds"].values():
        avoided = point["exact"]["biopsies_avoided"]
        assert 0 <= avoided["low"] <= avoided["value"] <= avoided["high"] <= 1
    assert {row["variable"] for row in figures["subgroups"]} == {"age", "size_ultrasound_mm", "er"}
    levels = {row["level"] for row in figures["subgroups"]}
    assert {"up to 20", "over 20, up to 50", "over 50", "positive", "negative", "missing"} <= levels


def test_a_number_that_no_training_patient_had_gets_no_estimate(bundle: Path, tmp_path: Path) -> None:
    """A grade of 9 is somebody's code for "not known", whatever the model would make of it."""
    mapping = RIGHT | {"facts": RIGHT["facts"] | {"grade": "G"}}
    rows = [row | {"G": 9 if index == 0 else 1.2} for index, row in enumerate(ROWS)]
    options = written(tmp_path, mapping, rows)
    _, scored = score.score(bundle, Path(options[1]), Path(options[3]), labelled=False)
    assert [reason.startswith("grade is outside") for reason in scored.reasons] == [True] + 59 * [False]


def test_predictions_have_intervals_or_reasons(bundle: Path, tmp_path: Path) -> None:
    """A patient of whom nothing is known, or unlike any training patient, gets no number."""
    strange = [{"id": "blank", "Age": "", "cm": "", "ER": "", "nodes": ""}, ROWS[0] | {"id": "old", "Age": 109}]
    without = {key: value for key, value in RIGHT.items() if key != "label"}
    main(["predict", "--bundle", str(bundle), *written(tmp_path, without, [*ROWS, *strange])])
    with (tmp_path / "predictions.csv").open() as file:
        rows = {row["patient"]: row for row in csv.DictReader(file)}
    assert 0 < float(rows["p0"]["low"]) < float(rows["p0"]["probability"]) < float(rows["p0"]["high"]) < 1
    assert rows["blank"]["probability"] == "" and "fewer than 2 facts" in rows["blank"]["no_estimate"]
    assert rows["old"]["probability"] == "" and "age is outside" in rows["old"]["no_estimate"]


def test_every_error_of_a_mapping_is_named(bundle: Path, tmp_path: Path) -> None:
    """Not the first only: a missing column, a unit, a word, a fact, a key, and the label."""
    wrong = {
        "label": {"column": "nodes", "positive": ["2"]},
        "facts": {
            "age": {"column": "Years", "unit": "years"},
            "size_mri_mm": {"column": "cm", "unit": "inches"},
            "size_ultrasound_mm": {"column": "cm"},
            "grade": "ER",
            "er": {"column": "ER", "values": {"pos": "yes"}, "colour": 1},
            "ki67_percent": "cm",
        },
        "extra": 1,
    }
    options = written(tmp_path, wrong, ROWS)
    with pytest.raises(MappingError) as found:
        score.measure(bundle, Path(options[1]), Path(options[3]))
    said = str(found.value).splitlines()
    for part in (
        "extra: unknown",
        "facts.ki67_percent: the bundle has no such fact",
        "facts.age: the file has no column Years",
        "facts.size_mri_mm: inches is not known to become mm",
        "facts.size_ultrasound_mm: names no unit",
        "facts.grade: 'neg' in column ER is not a number",
        "facts.er.colour: unknown",
        "facts.er: 'pos' in column ER is not one of negative, positive",
        "label: give positive and negative, both",
        "label: '0' is neither positive nor negative",
    ):
        assert any(line.startswith(part) for line in said), part


def test_a_unit_that_cannot_be_is_suspected(bundle: Path, tmp_path: Path) -> None:
    """Ages in months said to be years lie outside what the bundle knows."""
    months = [row | {"Age": int(row["Age"]) * 12} for row in ROWS]
    options = written(tmp_path, RIGHT, months)
    with pytest.raises(SystemExit, match=r"facts.age: 100% of the values lie outside .* is the unit right"):
        main(["evaluate", "--bundle", str(bundle), *options])


def test_a_bundle_that_was_changed_is_not_scored(bundle: Path, tmp_path: Path) -> None:
    """Its digests tell."""
    for file in bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "MODEL_CARD.md").write_text("better")
    with pytest.raises(Permanent, match=r"MODEL_CARD.md: its SHA-256"):
        score.predict(tmp_path, tmp_path, tmp_path, tmp_path)
    with pytest.raises(SystemExit, match=r"MODEL_CARD.md: its SHA-256"):
        main(["evaluate", "--bundle", str(tmp_path), "--csv", "none", "--mapping", "none"])


def test_scoring_says_what_it_needs(bundle: Path) -> None:
    """A bundle, a table and a mapping, each of which is there."""
    with pytest.raises(SystemExit, match="needs --bundle, --csv and --mapping"):
        main(["predict"])
    with pytest.raises(SystemExit, match=r"none\.yaml: No such file"):
        main(["evaluate", "--bundle", str(bundle), "--csv", "none.csv", "--mapping", "none.yaml"])


def test_a_question_that_no_table_answers_is_refused(tmp_path: Path) -> None:
    """An unknown label, a group that no fact is in, a folder without tables."""
    with pytest.raises(SystemExit, match="metabric has no label blood; it has aln, burden"):
        main(["train", "--table", "metabric", "--label", "blood"])
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--table", "metabric", "--without", "blood"])
    with pytest.raises(SystemExit, match=r"there is no such table; where is --data\?"):
        main(["train", "--table", "metabric", "--data", str(tmp_path)])


def test_rotterdam_is_read_by_either_spelling() -> None:
    """The package's own spelling of a size band, and the one it means."""
    row = {"pid": "1", "num_age": "50", "fac_tsize": ">20-50mmm", "fac_grade": "3", "fac_meno": "pre"}
    raw = {k: [v, v] for k, v in (row | {"num_estrogen": "1", "num_progesterone": "2", "num_nodes": "0"}).items()}
    raw |= {"fac_tsize": [">20-50mmm", ">20-50mm"], "num_year": ["1990", "1991"]}
    assert to_table(ROTTERDAM, raw).values[:, 1].tolist() == [1, 1]
