"""The served bundle and tables of strangers: what the agent loads, and what a mapping gets wrong."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from agent.core.errors import Permanent
from agent.infer.engine import Engine
from models.statistics.plots import span
from models.statistics.report import cautious
from models.tables.source import to_table
from models.tables.survset import ROTTERDAM
from models.tables.table import Fact, Table
from models.tabular import graph, score, served
from models.tabular.__main__ import main
from models.tabular.nested import QUICK
from models.tabular.pooled import FACTS, SHARED, band_medians, harmonise, pool
from models.tabular.rules import MappingError
from models.tabular.transport import across_tables, other_places, shuffled

METABRIC_FACTS = (*(fact for fact in FACTS if fact.name != "subtype"), Fact("subtype", values=("luminal_a", "other")))
TCGA_FACTS = (FACTS[0], Fact("pathological_t", values=("T1", "T2", "T3", "T4"), group="size"), FACTS[2], FACTS[3])


def invented(name: str, facts: tuple[Fact, ...], count: int, seed: int) -> Table:
    """Patients like those of a real table: size tells the outcome."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.integers(0, len(f.values), count).astype(float) if f.is_category else rng.uniform(f.low, f.high / 2, count)
        for f in facts
    ]
    values = np.column_stack(columns)
    size = values[:, 1] / values[:, 1].std()
    labels = rng.random(count) < 1 / (1 + np.exp(-1.5 * (size - size.mean())))
    site = np.array(["A", "B"])[rng.integers(0, 2, count)]
    patients = tuple(map(str, range(count)))
    return Table(name, patients, facts, values, labels, "any", "CC0", False, {"nodes": "outcome"}, site=site)


@pytest.fixture(scope="module")
def tables() -> tuple[Table, Table]:
    """Two tables that share some facts."""
    return invented("metabric", METABRIC_FACTS, 240, 1), invented("tcga", TCGA_FACTS, 180, 2)


@pytest.fixture(scope="module")
def bundle(tables: tuple[Table, Table], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle exported from them."""
    folder = tmp_path_factory.mktemp("bundles") / "aln-clinical-1.0.0"
    found = served.export(served.train(*tables, QUICK, draws=50), folder)
    assert found["parity"] <= 1e-4
    return folder


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


def test_a_table_for_evaluation_alone_is_never_learnt_from(tables: tuple[Table, Table]) -> None:
    """Its licence says so."""
    other = replace(tables[0], outside_training=True, licence="CC BY-NC 4.0")
    with pytest.raises(ValueError, match=r"metabric is for evaluations only: CC BY-NC 4\.0"):
        pool([other, other])
    with pytest.raises(ValueError, match="other facts"):
        pool(list(tables))


def test_a_t_becomes_the_median_size_of_its_band(tables: tuple[Table, Table]) -> None:
    """T4 is any size, and so not known; a subtype that the facts do not have is missing."""
    medians = band_medians(tables[0])
    found = harmonise(tables[1], SHARED, medians)
    for index, name in enumerate(("T1", "T2", "T3")):
        assert set(found.values[tables[1].values[:, 1] == index, 1]) == {medians[name]}
    assert np.isnan(found.values[tables[1].values[:, 1] == 3, 1]).all()
    theirs = harmonise(tables[0], FACTS, medians)
    assert np.isnan(theirs.values[tables[0].values[:, -1] == 1, 3]).all()


def test_a_model_is_tested_elsewhere(tables: tuple[Table, Table]) -> None:
    """From one table to the other, with the drop; and at the site that was left out."""
    found = across_tables(*tables, QUICK, draws=50)
    for how, target in (("metabric to tcga", 180), ("tcga to metabric", 240)):
        assert 0.4 < found[how]["auc"]["value"] < 1, target
        assert found[how]["drop"]["value"] == pytest.approx(found[how]["auc"]["value"] - found[how]["auc_of_its_own"])
    assert set(other_places(tables[0], QUICK)) == {"without A", "without B"}
    years = np.arange(240.0)
    assert set(other_places(replace(tables[0], site=None, time=years), QUICK)) == {"from 168 on"}


def test_shuffled_labels_say_nothing(tables: tuple[Table, Table]) -> None:
    """Though the true ones say much."""
    found = shuffled(tables[0], QUICK, seeds=10)
    assert abs(found["mean_auc"] - 0.5) < 0.06 and found["inside"] >= 6


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
