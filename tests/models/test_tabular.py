"""Systems on tables: what is learnt where, what is resumed, and that nothing of a scored patient gets in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.statistics.discrimination import auc
from models.statistics.splits import Split
from models.tables.screen import Leakage
from models.tables.table import SIZE, Fact, Table
from models.tabular.__main__ import main
from models.tabular.encode import Encoder, spline_terms
from models.tabular.figures import judge, subgroups
from models.tabular.nested import QUICK, fold, splits, stored_fold, tune
from models.tabular.study import SERVED, Question, Study, held_out, run_fold
from models.tabular.systems import BUDGET, SIMPLE, SYSTEMS
from models.tabular.verdict import headline
from tests.peers import shared

FACTS = (
    Fact("age", "years", 18, 110),
    Fact("size_pathology_mm", "mm", 1, 200, log=True, group=SIZE),
    Fact("er", values=("negative", "positive")),
)


def made(count: int = 240, seed: int = 3) -> Table:
    """Patients whose size tells the outcome, some facts missing."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.normal(3, 0.5, count))
    values = np.column_stack((rng.uniform(30, 80, count), size, rng.integers(0, 2, count)))
    labels = rng.random(count) < 1 / (1 + np.exp(-2.5 * (np.log(size) - 3)))
    values[rng.random(values.shape) < 0.1] = np.nan
    return Table(
        "made", tuple(f"p{i}" for i in range(count)), FACTS, values, labels, "any", "CC0", False, {"nodes": "outcome"}
    )


def test_every_system_tries_as_many_settings() -> None:
    """An equal budget for tuning."""
    assert {len(system.settings) for system in SYSTEMS.values()} == {BUDGET}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_finds_what_is_there_and_says_the_same_again(name: str) -> None:
    """On other patients, with facts missing; the same seed gives the same probabilities to the bit."""
    table, system, split = made(), SYSTEMS[name], Split(np.arange(160), np.arange(160, 240))
    first, again = (fold(system, table, split, replace(QUICK, budget=1))["probabilities"] for _ in range(2))
    assert first == again
    assert auc(np.array(first), table.labels[split.test]).value > 0.65
    assert all(0 <= p <= 1 for p in first)


@pytest.mark.parametrize("name", ["splines", "boosting", "mlp"])
def test_nothing_of_scored_patients_is_learnt(name: str) -> None:
    """Other labels and other values of theirs change no prediction for the rest of them."""
    table, split = made(), Split(np.arange(160), np.arange(160, 240))
    changed = replace(table, labels=table.labels.copy(), values=table.values.copy())
    changed.labels[160:] = ~changed.labels[160:]
    changed.values[200:, :2] = 50.0
    before, after = (fold(SYSTEMS[name], one, split, QUICK)["probabilities"][:40] for one in (table, changed))
    assert before == after


def test_missing_facts_are_the_middle_and_have_a_column() -> None:
    """A row of which nothing is known is 0 but for the columns that say so."""
    table = made()
    encoder = Encoder(FACTS, knots=4, crossed=True).fit(table.values)
    nothing = encoder.transform(np.full((1, 3), np.nan))
    assert sorted(set(nothing[0].tolist())) == [0.0, 1.0] and nothing.sum() == 3
    assert not Encoder(FACTS, gaps=False).fit(table.values).transform(np.full((1, 3), np.nan)).any()


@given(st.floats(-20, 20), st.floats(0.01, 5))
def test_a_spline_is_straight_outside_its_knots(start: float, step: float) -> None:
    """Second differences vanish beyond the outer knots, on either side."""
    knots = np.array([-1.0, -0.2, 0.4, 1.3])
    for edge in (-1.0 - abs(start) - 2 * step, 1.3 + abs(start)):
        found = np.array(spline_terms(edge + step * np.arange(3), knots))
        np.testing.assert_allclose(np.diff(found, 2), 0, atol=1e-6 * (1 + np.abs(found).max()))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_an_unknown_value_of_other_rows_never_breaks_an_encoder(seed: int) -> None:
    """What was fitted on complete rows reads rows with gaps, and a category that it never saw."""
    rng = np.random.default_rng(seed)
    table = made(60, seed % 1000)
    complete = table.values[~np.isnan(table.values).any(1)]
    complete[:, 2] = 0
    read = Encoder(FACTS, knots=3, crossed=True).fit(complete).transform(table.values[rng.permutation(60)])
    assert np.isfinite(read).all()


def test_recalibration_and_setting_come_from_the_training_rows(tmp_path: Path) -> None:
    """The model of a fold is the one that its inner folds favoured."""
    table = made()
    trained = tune(SYSTEMS["svm"], table, Split(np.arange(160), np.arange(160, 240)), replace(QUICK, budget=4), 1)
    assert trained.setting in SYSTEMS["svm"].settings
    assert trained.recalibration.method == "platt"  # a margin is no probability
    assert np.isnan(trained.widths(table.values)).all()


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """A fold that is there is read, unless the table or the plan is another one."""
    table, system = made(), SYSTEMS["logistic"]
    split = splits(table.labels, QUICK)[0]
    first = stored_fold(system, table, split, QUICK, tmp_path)
    path = tmp_path / "logistic" / "0-0.json"
    path.write_text(json.dumps(first | {"cpu_seconds": -1.0}))
    assert stored_fold(system, table, split, QUICK, tmp_path)["cpu_seconds"] == -1.0
    other = replace(table, values=table.values + 1)
    assert stored_fold(system, other, split, QUICK, tmp_path)["cpu_seconds"] >= 0
    assert not list(tmp_path.rglob("*.part"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A quick study of real tables."""
    return Study(shared("data"), tmp_path_factory.mktemp("tables"), QUICK, processes=1)


def test_the_served_system_is_the_one_that_inner_folds_favour(study: Study) -> None:
    """Of each outer fold the lowest inner loss, which knows nothing of the fold's own patients."""
    question = Question("tcga")
    served = held_out(study, question, SERVED)
    for number, said in enumerate(served.settings):
        folds = {name: run_fold(study, question, name, number) for name in SIMPLE}
        best = min(folds, key=lambda name: folds[name]["inner_log_loss"])
        assert said.startswith(best + " ")
        np.testing.assert_array_equal(served.probabilities[0, folds[best]["rows"]], folds[best]["probabilities"])


def test_a_question_gives_every_figure(study: Study) -> None:
    """Of the served system and of the baseline, as plain JSON."""
    judged = judge(study, Question("tcga"), (SERVED, "logistic"), draws=50)
    found = headline(json.loads(json.dumps(judged)))
    assert 0.55 < found["baseline_auc"] < 0.72 and 0.55 < found["auc"] < 0.72
    assert found["baseline_auc"] < found["baseline_auc_high"] < 0.75
    assert found["worse_than_best_simple"] == 0 and judged["best_simple"]["system"] == "logistic"
    assert {row["variable"] for row in judged["systems"][SERVED]["summary"]["subgroups"]} >= {"age", "subtype", "site"}


def test_only_what_may_be_served_runs_every_repeat(study: Study) -> None:
    """Figures are of the first repeat, so that a second one of a dear system tells little more."""
    twice = replace(study, plan=replace(study.plan, repeats=2))
    assert [twice.repeats(name) for name in (SERVED, "logistic", "forest", "ft_transformer")] == [2, 2, 1, 1]


def test_subgroups_name_what_is_missing() -> None:
    """An unknown receptor is a level of its own."""
    assert set(subgroups(made())["er"]) == {"negative", "positive", "unknown"}


def test_subgroups_of_numbers_are_bands() -> None:
    """An age or a size that is not known is in none of them."""
    facts = Fact("age", "years", 18, 110), Fact("size_pathology_mm", "mm", 1, 200, group=SIZE)
    values = np.array([[49, 20], [50, 21], [70, 51], [np.nan, np.nan]])
    table = Table("t", ("a", "b", "c", "d"), facts, values, np.array([True, False] * 2), "any", "CC0", False, {})
    found = subgroups(table)
    assert found["age"].tolist() == ["under 50", "50 to 69", "70 and over", "unknown"]
    assert found["size"].tolist() == ["T1 (to 20 mm)", "T2 (to 50 mm)", "T3 (over 50 mm)", "unknown"]


def test_a_table_that_leaks_is_not_trained_on(monkeypatch: pytest.MonkeyPatch, study: Study) -> None:
    """The screen stands before every study."""
    table = made()
    leaking = table.with_fact(Fact("harmless"), table.labels + 0.1)
    monkeypatch.setattr("models.tabular.study.load", lambda *_: leaking)
    with pytest.raises(Leakage, match="harmless"):
        Question("made").load(Path())


def test_the_command_compares_systems_on_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a row a system and leaves everything as JSON."""
    where = ["--data", str(shared("data")), "--out", str(tmp_path), "--processes", "1"]
    main(["compare", "--table", "wpbc", "--quick", *where])
    said = capsys.readouterr().out
    assert said.count("| logistic |") == said.count("| served |") == 1
    assert (tmp_path / "quick" / "wpbc" / "figures.json").exists()


@pytest.mark.parametrize("command", ["train", "evaluate", "compare"])
def test_a_command_without_a_table_says_which_there_are(command: str) -> None:
    """All of them."""
    with pytest.raises(SystemExit, match="which table"):
        main([command])
