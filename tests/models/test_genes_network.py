"""The gene Transformer: the same as full attention, at a linear cost, whatever is missing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import layer_norm
from torch.utils.flop_counter import FlopCounterMode

from models.genes.attention import GeneAttention, GeneTokens, ReGLU, normed
from models.genes.network import FactTokens, GeneTransformer
from models.genes.settings import GUIDED, PLAIN, Shape

torch.set_num_threads(1)  # of so small a network a second thread only waits for the first
SMALL = Shape(width=16, heads=4, attention_dropout=0, dropout=0)
SHAPES = (SMALL, Shape(width=16, latents=3), Shape(width=16, variant=GUIDED))
SLOTS = (2, 4)


def inputs(patients: int, genes: int, seed: int = 0, share: float = 0.8) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Expression, which of it is known, and two facts."""
    of = torch.Generator().manual_seed(seed)
    known = torch.rand(patients, genes, generator=of) < share
    slots = torch.stack([torch.randint(0, n, (patients,), generator=of) for n in SLOTS], 1)
    return torch.randn(patients, genes, generator=of), known, torch.randn(patients, 2, generator=of), slots


def network(genes: int, shape: Shape = SMALL) -> GeneTransformer:
    """One with weights of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return GeneTransformer(genes, SLOTS, shape).eval()


def plainly(attention: GeneAttention, readers: Tensor, tokens: Tensor, known: Tensor) -> Tensor:
    """Attention as textbooks write it: every token made, normalised, and projected to a key and a value."""

    def split(x: Tensor) -> Tensor:
        return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)

    seen = layer_norm(tokens, tokens.shape[-1:])
    query, key, value = split(attention.query(readers)), split(attention.key(seen)), split(attention.value(seen))
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    share = scores.masked_fill(~known[:, None, None], -torch.inf).softmax(3)
    answer: Tensor = attention.out((share @ value).transpose(1, 2).flatten(2))
    return answer


@given(
    patients=st.integers(1, 4), genes=st.integers(1, 20), readers=st.integers(1, 3), seed=st.integers(0, 99),
    each=st.booleans(),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_it_computes_what_attention_over_every_token_computes(
    patients: int, genes: int, readers: int, seed: int, each: bool
) -> None:
    """Without a token made, without a gene's key or value; with genes missing and readers shared or not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        attention, tokens = GeneAttention(16, 4, 0.0), GeneTokens(genes, 16)
        asking = normed(torch.randn(patients if each else 1, readers, 16))
        others = torch.randn(patients, 2, 16)
    values, known, _, _ = inputs(patients, genes, seed)
    found = attention(asking, tokens, values, known, normed(others))
    every = torch.cat((values[:, :, None] * tokens.weight + tokens.bias, others), 1)
    there = torch.cat((known, torch.ones(patients, 2, dtype=torch.bool)), 1)
    expected = plainly(attention, asking.expand(patients, -1, -1), every, there)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_with_cls_alone_it_is_the_one_layer_transformer_over_all_tokens() -> None:
    """Every token through attention among all and a feed-forward layer; CLS answers the same."""
    one = network(9)
    values, known, numbers, slots = inputs(3, 9)
    facts = one.facts(numbers, slots)
    tokens = torch.cat(
        (one.learned.expand(3, -1, -1), facts, values[:, :, None] * one.genes.weight + one.genes.bias), 1
    )
    there = torch.cat((torch.ones(3, 3, dtype=torch.bool), known), 1)
    x = tokens + plainly(one.read, normed(tokens), tokens, there)
    x = x + one.think(normed(x))
    torch.testing.assert_close(one.summary(values, known, numbers, slots), x[:, 0], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [False, True])
def test_multiplications_grow_linearly_with_genes(shape: Shape, training: bool) -> None:
    """As many for each further hundred genes, forward and backward."""

    def flops(genes: int) -> int:
        one, given = network(genes, shape).train(training), inputs(4, genes)
        with FlopCounterMode(display=False) as counted:
            answer = one(*given)
            if training:
                answer.sum().backward()
        return counted.get_total_flops()

    few, more, most = flops(100), flops(200), flops(400)
    assert 0 < most - more == 2 * (more - few)


def test_nothing_as_large_as_patients_times_genes_times_width_is_made() -> None:
    """What the forward pass keeps for the backward one has at most heads numbers a patient and gene."""
    one, kept = network(500), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        one(*inputs(32, 500))
    assert max(kept) <= 32 * 500 * SMALL.heads + 32 * 8 * SMALL.heads


@pytest.mark.parametrize("shape", SHAPES)
def test_a_gene_that_is_not_known_plays_no_part(shape: Shape) -> None:
    """Whatever number stands in its place."""
    one = network(6, shape)
    values, known, numbers, slots = inputs(5, 6)
    other = torch.where(known, values, 1e3)
    torch.testing.assert_close(one(values, known, numbers, slots), one(other, known, numbers, slots))


@pytest.mark.parametrize("shape", SHAPES)
def test_without_any_gene_the_facts_still_answer(shape: Shape) -> None:
    """A patient whose genes are all missing gets a finite answer that depends on the facts."""
    one = network(6, shape)
    values, known, numbers, slots = inputs(5, 6, share=0.0)
    answers = one(values, known, numbers, slots)
    assert torch.isfinite(answers).all()
    assert not torch.allclose(answers, one(values, known, numbers + 1, slots))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_part_learns(shape: Shape) -> None:
    """The loss reaches every weight but the offsets, which masked genes alone teach."""
    one, given = network(6, shape).train(), inputs(16, 6)
    one(*given).square().sum().backward()
    assert [name for name, weight in one.named_parameters() if weight.grad is None] == ["offset"]


def test_a_fact_has_a_token_for_each_slot_and_a_number_moves_along_its_weight() -> None:
    """Categories of different facts share no token."""
    tokens = FactTokens(SLOTS, 8)
    numbers, slots = torch.zeros(4, 2), torch.tensor([[0, 0], [1, 1], [0, 2], [1, 3]])
    found = tokens(numbers, slots)
    assert len(torch.unique(found[:, 1], dim=0)) == 4
    torch.testing.assert_close(found[0, 0], found[2, 0])
    moved = tokens(numbers + torch.tensor([2.0, 0.0]), slots)
    torch.testing.assert_close(moved[0, 0] - found[0, 0], 2 * tokens.weight[0])
    torch.testing.assert_close(moved[:, 1], found[:, 1])


def test_a_layer_gated_by_relu_is_closed_where_the_gate_is_negative() -> None:
    """Then nothing but the bias of its way out is left."""
    layer = ReGLU(4, 3, 0.0)
    with torch.no_grad():
        layer.into.weight.zero_()
        layer.into.bias.copy_(torch.tensor([1.0, 1, 1, -1, -1, -1]))
    torch.testing.assert_close(layer(torch.randn(2, 4)), layer.out.bias.expand(2, -1))


def test_shapes_that_cannot_be_are_refused() -> None:
    """Heads that do not share the width; guidance without facts."""
    with pytest.raises(ValueError, match="3 heads do not share a width of 16"):
        GeneTransformer(4, SLOTS, Shape(width=16, heads=3))
    with pytest.raises(ValueError, match="nothing guides"):
        GeneTransformer(4, (), Shape(width=16, variant=GUIDED))
    assert GeneTransformer(4, (), Shape(width=16, variant=PLAIN))(
        *inputs(2, 4)[:2], torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.long)
    ).shape == (2,)
