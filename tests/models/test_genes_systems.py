"""The gene systems: what each reads, that it finds what is there, and that noise stays noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.genes.fitting import learn, pretrain
from models.genes.gmt import GeneSet
from models.genes.network import GeneTransformer
from models.genes.noise import NOISE, importance, plant, shuffled_areas
from models.genes.prepare import Columns, Expression, Flat, Inputs, Tokenised, widen
from models.genes.settings import Pretraining, Shape, Training
from models.genes.systems import CLINICAL, Options, Transformer, catalogue, within
from models.statistics.delong import area
from models.tables.table import Table
from models.tabular.systems import Model
from tests.models.gene_tables import made, wide_facts

torch.set_num_threads(1)
OPTIONS = Options(Training(epochs=12, patience=12), Pretraining(epochs=2), modules=2)
EVERY = tuple(catalogue(OPTIONS))


def fitted(name: str, table: Table, options: Options = OPTIONS, seed: int = 1) -> Model:
    """A system with its first setting, fitted on a widened table."""
    system = catalogue(options)[name]
    model = system.make(table.facts, system.settings[0], seed)
    model.fit(table.values, table.labels)
    return model


def test_a_widened_table_has_its_genes_behind_its_facts() -> None:
    """As facts of their own group, so that systems tell them apart."""
    table, _ = made(patients=20, genes=3)
    wide = widen(table)
    columns = Columns(wide.facts)
    assert wide.facts == wide_facts(3) and columns.genes == ("G0", "G1", "G2")
    np.testing.assert_array_equal(wide.values[:, columns.is_gene], table.expression)
    np.testing.assert_array_equal(wide.values[:, columns.is_fact], table.values)


def test_a_table_without_expression_is_refused() -> None:
    """Instead of a system on no genes."""
    with pytest.raises(ValueError, match="made has no expression"):
        widen(replace(made(20)[0], expression=None))


def test_expression_is_standardised_by_what_is_known_of_the_training_patients() -> None:
    """A constant gene is left out; of the others those that vary most."""
    raw = np.array([[1.0, 5, 0, 2], [3, 5, 10, np.nan], [np.nan, 5, 20, 4]])
    found = Expression(top=2).fit(raw)
    assert found.kept.tolist() == [0, 2]
    np.testing.assert_allclose(Expression().fit(raw).transform(raw)[:, 0], [-1, 1, np.nan])
    np.testing.assert_allclose(Expression(top=1).fit(raw).transform(np.array([[9, 9, 10, 9.0]])), [[0]])
    with pytest.raises(ValueError, match="no gene varies"):
        Expression().fit(np.ones((3, 2)))


def test_what_is_not_known_keeps_its_place() -> None:
    """A gene is masked; a fact takes the last of its slots and the number 0."""
    values = np.array([[40.0, 2, 1, 5], [60, np.nan, np.nan, 7], [np.nan, 0, 3, 9]])
    found = Tokenised(wide_facts(2)).fit(values).transform(values)
    assert found.known.tolist() == [[True, True], [False, True], [True, True]]
    assert found.slots.tolist() == [[0, 2], [0, 3], [1, 0]]
    np.testing.assert_allclose(found.numbers, [[-1, 0], [1, 0], [0, 0]], atol=1e-6)
    assert torch.isfinite(found.values).all()


def test_nothing_of_other_patients_shapes_what_is_read() -> None:
    """Scales are those of the patients of `fit`, whoever comes later."""
    wide = widen(made(60)[0])
    flat = Flat(wide.facts, genes=True).fit(wide.values[:40])
    alone = flat.transform(wide.values[40:50])
    np.testing.assert_array_equal(flat.transform(wide.values[40:])[:10], alone)
    np.testing.assert_allclose(flat.transform(wide.values[:40]).mean(0)[: flat.mean.size], 0, atol=1e-9)


@pytest.mark.parametrize("name", [*EVERY, "elastic_net_within"])
def test_each_system_answers_for_patients_it_never_saw(name: str) -> None:
    """Probabilities of some breadth, better than chance, with anything missing."""
    wide = widen(made(300, seed=3)[0])
    train, test = wide.rows(np.arange(200)), wide.rows(np.arange(200, 300))
    system = within(catalogue(OPTIONS)["elastic_net"], "grade", 5) if "within" in name else catalogue(OPTIONS)[name]
    model = system.make(train.facts, system.settings[0], 1)
    model.fit(train.values, train.labels)
    found = model.probabilities(test.values)
    assert found.dtype == np.float64 and ((found > 0) & (found < 1)).all() and np.ptp(found) > 0.05
    assert area(found, test.labels) > 0.6


def test_clinical_only_reads_no_gene() -> None:
    """Whatever the genes say, its answer stays."""
    wide = widen(made()[0])
    model = fitted(CLINICAL, wide)
    other = wide.values.copy()
    other[:, 2:] = 7.0
    np.testing.assert_array_equal(model.probabilities(other), model.probabilities(wide.values))


@pytest.mark.parametrize("name", ["transformer", "pretrained", "pathways"])
def test_a_seed_decides_everything(name: str) -> None:
    """Twice the same by one seed, another by another; the caller's random state stays as it was."""
    wide, options = widen(made(60)[0]), replace(OPTIONS, training=Training(epochs=2))
    state = torch.random.get_rng_state()
    first, again, other = (fitted(name, wide, options, seed).probabilities(wide.values) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_given_gene_sets_shape_the_sparse_network() -> None:
    """A gene in none of them plays no part."""
    sets = (GeneSet("A", "", tuple(f"G{i}" for i in range(6))),)
    wide = widen(made()[0])
    model = fitted("pathways", wide, replace(OPTIONS, sets=sets))
    other = wide.values.copy()
    other[:, 2 + 6 :] = 0.0
    np.testing.assert_array_equal(model.probabilities(other), model.probabilities(wide.values))


def test_within_a_group_only_its_own_patients_are_learnt_from() -> None:
    """A group with too few patients of an outcome is answered by the model for all."""
    wide = widen(made(200)[0])
    system = within(catalogue(OPTIONS)["elastic_net"], "grade", 10)
    setting, grade = system.settings[0], wide.values[:, 1]
    labels = np.where(grade == 2, False, wide.labels)
    model = system.make(wide.facts, setting, 1)
    model.fit(wide.values, labels)
    base = catalogue(OPTIONS)["elastic_net"]
    own, across = (base.make(wide.facts, setting, 1) for _ in range(2))
    own.fit(wide.values[grade == 0], labels[grade == 0])
    across.fit(wide.values, labels)
    found = model.probabilities(wide.values)
    np.testing.assert_array_equal(found[grade == 0], own.probabilities(wide.values[grade == 0]))
    np.testing.assert_array_equal(found[grade == 2], across.probabilities(wide.values)[grade == 2])
    assert system.name == "elastic_net_within"


def test_each_system_tries_as_many_settings_and_says_how_it_was_made() -> None:
    """Equal budgets; options are part of a setting, so that a stored result of others is not taken for it."""
    systems = catalogue(replace(OPTIONS, sets=(GeneSet("A", "", ("G1",)),), top_genes=7))
    assert {len(one.settings) for one in systems.values()} == {4}
    said = systems["pathways"].settings[0]
    assert said["top_genes"] == 7 and said["epochs"] == 12 and said["sets"] != "none"
    assert catalogue(OPTIONS)["pathways"].settings[0]["sets"] == "none"


def correlated(patients: int = 200, genes: int = 8, missing: float = 0.1) -> Inputs:
    """Genes that one hidden cause moves, so that some of them tell the others."""
    of = torch.Generator().manual_seed(0)
    cause = torch.randn(patients, 1, generator=of)
    values = cause + 0.3 * torch.randn(patients, genes, generator=of)
    known = torch.rand(patients, genes, generator=of) >= missing
    return Inputs(torch.where(known, values, 1e6), known, torch.zeros(patients, 1), torch.zeros(patients, 1).long())


def test_masked_genes_are_guessed_from_the_others() -> None:
    """Far below the error of guessing the mean; values that the data lack are neither read nor guessed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GeneTransformer(8, (2,), Shape(width=16))
        errors = pretrain(network, correlated(), Pretraining(epochs=25, rate=1e-2), batch=50)
    assert errors[0] > 0.8 > 0.5 > errors[-1]


def test_frozen_tokens_and_attention_stay_as_pretrained() -> None:
    """The rest learns the label."""
    inputs = correlated(60)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GeneTransformer(8, (2,), Shape(width=16))
        pretrain(network, inputs, Pretraining(epochs=1, frozen=True), batch=30)
        before = {name: weight.clone() for name, weight in network.state_dict().items()}
        labels = np.arange(60) % 2 == 0
        learn(network, lambda rows: network(*inputs.rows(rows).tensors()), labels, Training(epochs=3, patience=3), 0)
    moved = {
        name.split(".")[0] for name, weight in network.state_dict().items() if not torch.equal(weight, before[name])
    }
    assert not moved & {"genes", "read"}


def test_patients_without_a_known_gene_teach_no_masked_gene() -> None:
    """An epoch without any hidden gene has no error and moves nothing."""
    nothing = replace(correlated(10), known=torch.zeros(10, 8, dtype=torch.bool))
    network = GeneTransformer(8, (2,), Shape(width=16))
    before = network.genes.weight.clone()
    assert pretrain(network, nothing, Pretraining(epochs=1), batch=5) == [0.0]
    assert torch.equal(network.genes.weight, before)


def test_training_stops_when_others_are_told_apart_no_better() -> None:
    """And goes back to its best epoch, which for labels without meaning comes early."""
    inputs = correlated(80)
    labels = np.random.default_rng(0).random(80) < 0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GeneTransformer(8, (2,), Shape(width=16))
        seen: list[int] = []

        def answer(rows: torch.Tensor) -> torch.Tensor:
            seen.append(len(rows))
            logits: torch.Tensor = network(*inputs.rows(rows).tensors())
            return logits

        best = learn(network, answer, labels, Training(rate=1e-2, epochs=200, patience=3, batch=100), 0)
    epochs = len(seen) // 2
    assert epochs == best + 3 < 200
    assert not network.training


@pytest.mark.parametrize("name", ["elastic_net", "transformer", "guided"])
def test_a_planted_noise_predictor_is_worth_no_more_than_chance(name: str) -> None:
    """While a fact that drives the outcome is worth much more; both on patients not learnt from."""
    wide = plant(widen(made(400, seed=5)[0]), seed=2)
    assert wide.facts[0].name == NOISE and wide.facts[1].name == "age"
    train, test = wide.rows(np.arange(250)), wide.rows(np.arange(250, 400))
    model = fitted(name, train)
    rng = np.random.default_rng(0)
    of = {
        column: importance(*(np.atleast_1d(part) if i == 0 else part[None] for i, part in enumerate(found)))
        for column in (0, 1)
        for found in [shuffled_areas(model, test.values, test.labels, column, rng, 40)]
    }
    assert of[0]["p"] > 0.05 and of[0]["drop"] <= of[0]["chance"]
    assert of[1]["p"] < 0.03 and of[1]["drop"] > of[1]["chance"]


def test_importance_is_the_drop_and_p_counts_shuffles_as_good() -> None:
    """Mean over folds; 1 in 1 + shuffles where none is as good."""
    found = importance(np.array([0.7, 0.8]), np.array([[0.5, 0.7], [0.7, 0.9]]))
    assert found["drop"] == pytest.approx(0.05) and found["p"] == pytest.approx(2 / 3)
    assert importance(np.array([0.9]), np.full((1, 19), 0.5))["p"] == pytest.approx(0.05)


def test_a_transformer_reads_the_genes_that_vary_most() -> None:
    """As many as asked for."""
    wide = widen(made(40)[0])
    model = fitted("transformer", wide, replace(OPTIONS, training=Training(epochs=1), top_genes=5))
    assert isinstance(model, Transformer) and model.network.genes.weight.shape[0] == 5
