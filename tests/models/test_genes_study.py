"""The gene study: nested folds that resume, pairs that are judged fairly, and the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.genes.__main__ import main
from models.genes.judge import judge, lines, verdict
from models.genes.noise import NOISE, check
from models.genes.prepare import Columns
from models.genes.report import markdown
from models.genes.study import QUICK_OPTIONS, QUICK_PLAN, Study, held_out
from models.genes.train import load, train
from models.statistics.delong import area
from models.tabular.nested import splits, tune
from tests.models.gene_tables import write_metabric
from tests.peers import shared

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a small METABRIC of made-up patients."""
    return write_metabric(tmp_path_factory.mktemp("data"))


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Study:
    """A quick study of it."""
    return Study("metabric", data, tmp_path, QUICK_PLAN, replace(QUICK_OPTIONS, modules=2))


def test_every_patient_is_held_out_once_in_each_repeat(study: Study) -> None:
    """By the same folds for every system, and as those of `models.tabular` deal them."""
    study = replace(study, plan=replace(study.plan, repeats=2))
    one, other = held_out(study, "clinical"), held_out(study, "elastic_net")
    assert one.probabilities.shape == (2, 80) and not np.isnan(one.probabilities).any()
    np.testing.assert_array_equal(one.folds, other.folds)
    for split in splits(study.patients().labels, study.plan):
        assert (one.folds[split.repeat, split.test] == split.fold).all()
    assert len(one.settings) == study.folds == 4


def test_a_stopped_run_goes_on_where_it_was(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    """Folds that are there stay as they are; the one that is not is made again, the same."""
    study.evaluate(["clinical"])
    first, second = (study.folder / "clinical" / f"0-{fold}.json" for fold in range(2))
    before, at = second.read_text(), first.stat().st_mtime_ns
    second.unlink()
    study.evaluate(["clinical"])
    told = ("probabilities", "rows", "setting")
    assert [json.loads(second.read_text())[k] for k in told] == [json.loads(before)[k] for k in told]
    assert first.stat().st_mtime_ns == at
    assert "metabric clinical" in capsys.readouterr().out


def test_results_of_other_options_are_not_taken_for_these(study: Study) -> None:
    """Fewer genes are another result."""
    held_out(study, "elastic_net")
    path = study.folder / "elastic_net" / "0-0.json"
    before = path.read_text()
    held_out(replace(study, options=replace(study.options, top_genes=3)), "elastic_net")
    assert path.read_text() != before


def test_labels_without_meaning_are_not_foretold(study: Study) -> None:
    """Over ten shufflings of the labels the mean AUC is that of chance: no fold sees what it is scored on."""
    table, system = study.patients(), study.system("elastic_net")
    found = []
    for seed in range(10):
        shuffled = replace(table, labels=np.random.default_rng(seed).permutation(table.labels))
        told = np.full(len(table.labels), np.nan)
        for split in splits(shuffled.labels, study.plan):
            told[split.test] = tune(system, shuffled, split, study.plan, seed).model.probabilities(
                shuffled.values[split.test]
            )
        found.append(area(told, shuffled.labels))
    assert 0.44 < np.mean(found) < 0.56


def test_on_real_patients_genes_tell_as_little_as_is_known(tmp_path: Path) -> None:
    """METABRIC's honest AUC is near 0.66 with size and genes; far above would be a leak."""
    study = Study("metabric", shared("data"), tmp_path, QUICK_PLAN)
    table = study.patients()
    assert len(Columns(table.facts).genes) == 489
    for name in ("clinical", "elastic_net"):
        assert 0.6 < area(held_out(study, name).probabilities[0], table.labels) < 0.7


def test_a_judgement_has_figures_pairs_and_a_verdict(study: Study) -> None:
    """Each system against clinical only, each but that against elastic net, p adjusted over all of them."""
    judged = judge(study, ("clinical", "elastic_net", "transformer"), draws=20)
    assert list(judged["systems"]) == ["clinical", "elastic_net", "transformer"]
    assert judged["genes"] == 15 and "age" in judged["facts"] and "GENE0" not in judged["facts"]
    pairs = [(one["system"], one["against"]) for one in judged["paired"]]
    assert pairs == [("elastic_net", "clinical"), ("transformer", "clinical"), ("transformer", "elastic_net")]
    assert all(one["p_holm"] >= one["p"] for one in judged["paired"])
    assert set(judged["systems"]["transformer"]["summary"]["against"]) == {"clinical"}
    assert not judged["systems"]["clinical"]["summary"]["against"]
    said = lines(judged)
    assert said[0].startswith("metabric: 80 patients, 15 genes") and said[-3:] == judged["verdict"]
    assert any("too few" in line for line in said)
    json.dumps(judged, allow_nan=False)


def test_a_page_of_results_holds_every_system_subtype_and_sentence(study: Study) -> None:
    """Rows as wide as their heads; a table without subtypes has no part about them."""
    judged = judge(study, ("clinical", "elastic_net"), draws=20)
    page = markdown(judged)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert [row.count("|") for row in rows[:4]] == [8] * 4 and len({row.count("|") for row in rows[4:]}) == 1
    assert rows[2].startswith("| `clinical` |") and "|  |  |" in rows[2]
    assert "luminal_a" in rows[4] and "too few" in page and page.count("\n- ") == 1
    for one in judged["systems"].values():
        one["summary"]["subgroups"] = []
    assert "subtype" not in markdown(judged)


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [(0.02, 0.01, "beats"), (0.02, 0.2, "does not beat"), (-0.02, 0.2, "does not beat"), (-0.1, 0.01, "is worse than")],
)
def test_a_verdict_says_who_lost_as_plainly_as_who_won(difference: float, p: float, said: str) -> None:
    """What isn't shown is not claimed."""
    one = {"system": "a", "against": "b", "difference": difference, "low": -0.1, "high": 0.1, "p": p, "p_holm": p}
    assert verdict([one]) == [f"a {said} b: AUC {difference:+.3f} (-0.100 to +0.100), p {p:.2g} after Holm"]


def test_the_noise_check_is_kept_fold_by_fold(study: Study) -> None:
    """The importance of noise and of what is asked for; a second run trains nothing."""
    found = check(study, "elastic_net", facts=("age",), shuffles=9)
    assert set(found) == {NOISE, "age"} and 0.1 <= found[NOISE]["p"] <= 1
    kept = sorted((study.folder / "elastic_net_noise").iterdir())
    assert len(kept) == 2
    at = [path.stat().st_mtime_ns for path in kept]
    assert check(study, "elastic_net", facts=("age",), shuffles=9) == found
    assert [path.stat().st_mtime_ns for path in kept] == at
    check(study, "elastic_net", shuffles=5)
    assert all(path.stat().st_mtime_ns > before for path, before in zip(kept, at, strict=True))


@pytest.mark.parametrize("name", ["transformer", "guided"])
def test_a_kept_transformer_answers_as_it_did(study: Study, name: str) -> None:
    """From tensors and plain values; the same for all patients, some of whose values are missing."""
    path = train(study, name)
    values = study.patients().values.copy()
    values[::3, ::2] = np.nan
    first, again = load(path), load(path)
    found = first.probabilities(values)
    np.testing.assert_array_equal(found, again.probabilities(values))
    assert ((found > 0) & (found < 1)).all() and np.ptp(first.model.probabilities(values)) > 0
    refitted = study.system(name).make(study.patients().facts, first.model.setting, study.plan.seed)
    refitted.fit(study.patients().values, study.patients().labels)
    np.testing.assert_allclose(first.model.probabilities(values), refitted.probabilities(values), atol=1e-6)


def test_a_system_that_is_no_transformer_is_not_kept(study: Study) -> None:
    """It says so."""
    with pytest.raises(ValueError, match="clinical is evaluated, not kept"):
        train(study, "clinical")


def test_a_system_is_found_by_name_and_within_subtypes(study: Study) -> None:
    """Another name is an error."""
    assert study.system("elastic_net_within").name == "elastic_net_within"
    with pytest.raises(KeyError):
        study.system("nobody")


def test_the_command_line_evaluates_and_compares(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every usual system, quickly, to JSON and to a person; gene sets from a file."""
    sets = tmp_path / "sets.gmt"
    sets.write_text("A\tmade up\t" + "\t".join(f"GENE{i}" for i in range(8)) + "\n")
    given = ["--table", "metabric", "--quick", "--data", str(data), "--out", str(tmp_path), "--sets", str(sets)]
    assert main(["evaluate", *given]) == 0
    assert main(["compare", *given]) == 0
    said = capsys.readouterr().out
    assert "guided" in said and "pathways" in said and "after Holm" in said
    judged = json.loads((tmp_path / "quick" / "metabric_genes" / "figures.json").read_text())
    assert judged["patients"] == 80 and len(judged["paired"]) == 9
    assert (tmp_path / "quick" / "metabric_genes" / "RESULTS.md").read_text() == markdown(judged)


def test_the_command_line_trains_and_checks_noise(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Transformer where nothing else is asked for; another system is not kept."""
    given = ["--table", "metabric", "--quick", "--data", str(data), "--out", str(tmp_path), "--epochs", "1"]
    assert main(["train", *given]) == 0
    assert main(["noise", *given, "--folds", "2", "--seed", "5"]) == 0
    assert main(["train", *given, "--system", "clinical"]) == 2
    said = capsys.readouterr()
    assert f"wrote {tmp_path / 'quick' / 'metabric_genes' / 'transformer.pt'}" in said.out and NOISE in said.out
    assert "clinical is evaluated, not kept" in said.err


def test_gene_sets_that_cannot_be_read_end_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With each bad line, before anything runs."""
    sets = tmp_path / "bad.gmt"
    sets.write_text("A\n")
    assert main(["evaluate", "--table", "metabric", "--sets", str(sets), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "bad.gmt: line 1: no genes\n"
