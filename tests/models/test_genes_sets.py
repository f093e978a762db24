"""Gene sets: GMT files, what a table has of them, modules of the data, and the network they shape."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.genes.gmt import BadGmt, GeneSet, match, read_gmt
from models.genes.modules import modules
from models.genes.settings import Pathwayed
from models.genes.sparse import PathwayLayer, PathwayNetwork

PAIK = (
    "PROLIFERATION\tPaik, N Engl J Med 2004;351:2817\tMKI67\tAURKA\tBIRC5\tCCNB1\tMYBL2\n"
    "OESTROGEN\tPaik, N Engl J Med 2004;351:2817\tESR1\tPGR\tBCL2\tSCUBE2\n"
    "INVASION\tPaik, N Engl J Med 2004;351:2817\tMMP11\tCTSV\n"
    "HER2\tPaik, N Engl J Med 2004;351:2817\tGRB7\tERBB2\n"
)
"""Four groups of the 21 genes, under their names of today (STK15 is AURKA, CTSL2 is CTSV)."""


def written(folder: Path, text: str) -> Path:
    """A GMT file."""
    path = folder / "sets.gmt"
    path.write_text(text, "utf-8")
    return path


def test_a_gmt_file_is_read_line_by_line(tmp_path: Path) -> None:
    """Names, descriptions and genes; empty lines and tabs at an end are nothing."""
    sets = read_gmt(written(tmp_path, PAIK.replace("\tERBB2\n", "\tERBB2\t\t\n\n")))
    assert [one.name for one in sets] == ["PROLIFERATION", "OESTROGEN", "INVASION", "HER2"]
    assert sets[3] == GeneSet("HER2", "Paik, N Engl J Med 2004;351:2817", ("GRB7", "ERBB2"))


def test_a_gene_counts_once_and_in_upper_case(tmp_path: Path) -> None:
    """As symbols are written in tables."""
    assert read_gmt(written(tmp_path, "A\t\tesr1\tESR1\tPgr\r\n"))[0].genes == ("ESR1", "PGR")


def test_each_bad_line_is_named(tmp_path: Path) -> None:
    """All of them in one error, by number."""
    text = "A\td\tG1\n\td\tG1\nA\td\tG2\nB\td\nC\nD\td\tG1\t\tG2\n"
    with pytest.raises(BadGmt) as caught:
        read_gmt(written(tmp_path, text))
    assert str(caught.value) == (
        "sets.gmt: line 2: no name; line 3: A comes a second time; line 4: no genes; line 5: no genes; "
        "line 6: an empty gene"
    )


def test_a_file_without_sets_is_refused(tmp_path: Path) -> None:
    """Instead of a network without pathways."""
    with pytest.raises(BadGmt, match="no gene set"):
        read_gmt(written(tmp_path, "\n  \n"))


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_any_text_is_read_or_refused_by_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Nothing else is raised, and what is read has a name and genes."""
    path = written(tmp_path_factory.getbasetemp(), text)
    with contextlib.suppress(BadGmt):
        assert all(one.name and one.genes and all(one.genes) for one in read_gmt(path))


def test_what_the_table_lacks_is_said_and_small_sets_are_dropped(tmp_path: Path) -> None:
    """Genes by set, sets by how many genes are left of them."""
    found = match(read_gmt(written(tmp_path, PAIK)), ["pgr", "ESR1", "AURKA", "GRB7", "MKI67", "X"], least=2)
    assert found.names == ("PROLIFERATION", "OESTROGEN")
    np.testing.assert_array_equal(found.members, [[0, 0, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0]])
    assert found.dropped == {"INVASION": 0, "HER2": 1}
    assert found.absent["HER2"] == ("ERBB2",) and found.absent["OESTROGEN"] == ("BCL2", "SCUBE2")
    assert str(found) == (
        "2 gene sets over 4 of 6 genes; 8 genes of theirs are not in the table; "
        "dropped for too few genes: INVASION (0), HER2 (1)"
    )


def test_sets_that_are_all_there_leave_nothing_to_say() -> None:
    """No lost gene and no dropped set."""
    found = match([GeneSet("A", "", ("G1", "G2"))], ["G1", "G2", "G3"], least=2)
    assert str(found) == "1 gene sets over 2 of 3 genes" and not found.absent


def test_a_table_that_has_none_of_the_sets_is_refused() -> None:
    """Genes under other names, perhaps."""
    with pytest.raises(ValueError, match="none of 1 gene sets has 5 genes"):
        match([GeneSet("A", "", ("G1",))], ["ENSG1"])


def test_modules_hold_the_genes_that_go_together() -> None:
    """Two hidden causes, one direction each, make two modules; a gene that nothing goes with is in none."""
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((200, 2))
    genes = np.repeat(causes, 6, axis=1) + 0.2 * rng.standard_normal((200, 12))
    found = modules(np.column_stack((genes, rng.standard_normal(200))), 3, seed=0)
    assert sorted(map(tuple, found.members.astype(int))) == [(0,) * 6 + (1,) * 6 + (0,), (1,) * 6 + (0,) * 7]
    assert list(found.dropped.values()) == [1]


def test_modules_of_too_few_genes_are_refused() -> None:
    """Nothing is left to make a network of."""
    with pytest.raises(ValueError, match="no module of 2 has 5 genes"):
        modules(np.random.default_rng(0).standard_normal((20, 4)), 2, seed=0)


def test_a_unit_sees_its_pathway_alone() -> None:
    """In what it answers and in what it learns."""
    members = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0]], dtype=torch.bool)
    layer = PathwayLayer(members, units=3)
    values = torch.randn(5, 4)
    before = layer(values)
    assert before.shape == (5, 6)
    changed = values.clone()
    changed[:, 2:] += 1
    torch.testing.assert_close(layer(changed)[:, :3], before[:, :3])
    assert not torch.allclose(layer(changed)[:, 3:], before[:, 3:])
    before.square().sum().backward()
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad != 0, members.repeat_interleave(3, 0))


def test_the_sparse_network_has_the_published_layers() -> None:
    """Sixteen units a pathway, facts beside them, then 64, 256 and 128."""
    found = match([GeneSet("A", "", ("G1", "G2")), GeneSet("B", "", ("G2", "G3"))], ["G1", "G2", "G3"], least=2)
    network = PathwayNetwork(found, 5, Pathwayed())
    sizes = [(one.in_features, one.out_features) for one in network.dense if isinstance(one, torch.nn.Linear)]
    assert sizes == [(2 * 16 + 5, 64), (64, 256), (256, 128), (128, 1)]
    assert network(torch.randn(4, 3), torch.randn(4, 5)).shape == (4,)
