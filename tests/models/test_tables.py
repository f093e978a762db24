"""Tables of patients: what is read of them, what is refused, and what the screen for leaks sees."""

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tables.catalogue import SOURCES, load
from models.tables.screen import Leakage, likeness, refuse_leaks, screen, single_auc
from models.tables.source import Category, Label, Number, Source, as_numbers, at_least, read_csv, to_table
from models.tables.table import Fact, Floats, ForbiddenColumn, Table, UnknownColumn
from tests.peers import shared

MADE = Source(
    name="made",
    path="made.csv",
    patient="id",
    columns=(
        Number("size_pathology_mm", "cm", "mm", 1, 200, factor=10, log=True),
        Category("grade", "grade", {"I": "1", "II": "2"}, rest="3"),
    ),
    labels={"aln": Label("any", "nodes", at_least(1)), "burden": Label("many", "nodes", at_least(4, among=1))},
    forbidden={"nodes": "the outcome itself", "time": "the future"},
    licence="CC0",
    outside_training=False,
    site=lambda raw: raw["where"],
    time="year",
    genes=lambda names: {name[2:]: name for name in names if name.startswith("g_")},
)
CELLS = (
    "id,cm,grade,nodes,where,year,g_ESR1\na,1.5,I,0,x,1990,0.5\nb,,IV,2,y,1991,-1\nc,99,,5,x,1992,\nd,2,II,,y,1993,2\n"
)


def made(label: str | None = None) -> Table:
    """Four patients, one of whom has no label."""
    raw = {name: list(column) for name, *column in zip(*[row.split(",") for row in CELLS.split()], strict=True)}
    return to_table(MADE, raw, label)


@functools.cache
def real(name: str) -> Table:
    """A real table, read once."""
    return load(name, shared("data"))


def test_facts_have_units_and_what_is_missing_stays_missing() -> None:
    """Centimetres become millimetres; an empty cell and a size of a metre are NaN; the latter is counted."""
    table = made()
    np.testing.assert_array_equal(table.values, [[15, 0], [np.nan, 2], [np.nan, np.nan]])
    assert table.facts[1] == Fact("grade", values=("1", "2", "3"))
    assert table.refused == {"size_pathology_mm": 1}


def test_a_patient_without_a_label_is_left_out_everywhere() -> None:
    """Site, time and expression keep to the patients that are left."""
    table = made()
    assert table.patients == ("a", "b", "c")
    assert table.site is not None and table.time is not None and table.expression is not None
    assert table.site.tolist() == ["x", "y", "x"] and table.time.tolist() == [1990, 1991, 1992]
    assert table.genes == ("ESR1",)
    np.testing.assert_array_equal(table.expression, [[0.5], [-1], [np.nan]])


def test_another_label_asks_other_patients() -> None:
    """Burden is asked of node-positive patients alone."""
    assert made("burden").patients == ("b", "c")
    assert made("burden").labels.tolist() == [False, True]
    with pytest.raises(ValueError, match="no label nsln; it has aln, burden"):
        made("nsln")


def test_a_file_without_a_column_is_refused_by_name() -> None:
    """All that are lacking are named at once."""
    with pytest.raises(ValueError, match="lacks cm, grade"):
        to_table(MADE, {"id": ["a"], "nodes": ["1"]})


def test_an_unknown_word_without_a_rest_is_refused_alone() -> None:
    """Counted apart from what is missing."""
    values, refused = Category("er", "er", {"pos": "positive"}).read(["POS", "purple", "NA"])
    np.testing.assert_array_equal(values, [0, np.nan, np.nan])
    assert refused == 1


def test_a_number_that_cannot_be_read_is_refused_alone() -> None:
    """As is one that is not finite."""
    values, refused = Number("age", "age", "years", 18, 110).read(["40", "forty", "inf", ""])
    np.testing.assert_array_equal(values, [40, np.nan, np.nan, np.nan])
    assert refused == 2


def test_words_become_ranks_and_numbers_stay() -> None:
    """So that the screen can compare any forbidden column."""
    np.testing.assert_array_equal(as_numbers(["b", "a", "", "b"]), [1, 0, np.nan, 1])
    np.testing.assert_array_equal(as_numbers(["3", "NA", "5"]), [3, np.nan, 5])


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (b"a,a\n1,2\n", "share a name"),
        (b"a,b\n1,2\n1\n", "row 2 has 1 cells; there are 2 columns"),
        (b"a,b\n\xfc,2\n", "byte 4 is not UTF-8"),
        (b"a,b\n", "no row of values"),
        (b"", "no row of values"),
    ],
)
def test_a_torn_file_is_refused(tmp_path: Path, cells: bytes, why: str) -> None:
    """Nothing is guessed of where a cell belongs, or what a byte means."""
    (tmp_path / "x.csv").write_bytes(cells)
    with pytest.raises(ValueError, match=why):
        read_csv(tmp_path / "x.csv")


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_what_stands_between_cells_is_seen(tmp_path: Path, between: str) -> None:
    """As spreadsheets of other countries write it, with a mark before the first name and an empty line at the end."""
    (tmp_path / "x.csv").write_text(f"\ufeffa{between}b\n1{between}2\n\n", encoding="utf-8")
    assert read_csv(tmp_path / "x.csv") == {"a": ["1"], "b": ["2"]}


def test_a_fact_that_is_not_there_is_named() -> None:
    """With those that are."""
    with pytest.raises(UnknownColumn, match="no ki67; it has size_pathology_mm, grade"):
        made().select(["ki67"])


def test_a_forbidden_column_is_refused_however_it_is_spelt() -> None:
    """Case and punctuation make no difference, nor the door it comes in by."""
    with pytest.raises(ForbiddenColumn, match=r"nodes is no input: the outcome itself"):
        made().select(["Nodes "])
    with pytest.raises(ForbiddenColumn, match="time"):
        made().with_fact(Fact("TIME"), np.zeros(3))


@pytest.mark.parametrize("name", SOURCES)
def test_every_forbidden_column_of_every_table_raises_by_its_name(name: str) -> None:
    """And each of them is a column of the file, so that none is forbidden by a misspelt name."""
    table = real(name)
    assert set(table.forbidden) == set(table.withheld)
    for column in table.forbidden:
        with pytest.raises(ForbiddenColumn) as refused:
            table.select([column])
        assert column in str(refused.value)


@pytest.mark.parametrize("name", SOURCES)
def test_real_tables_are_read_whole(name: str) -> None:
    """Every value is known or missing, inside its range, and the screen has nothing to say of what may be used."""
    table = real(name)
    assert len(set(table.patients)) == len(table.labels) == len(table.values) > 100
    assert 0.3 < table.labels.mean() < 0.75
    for fact, column in zip(table.facts, table.values.T, strict=True):
        known = column[~np.isnan(column)]
        assert known.size > 0.6 * len(column), fact.name
        low, high = (0, len(fact.values) - 1) if fact.is_category else (fact.low, fact.high)
        assert low <= known.min() < known.max() <= high, fact.name
    assert screen(table) == ()


def test_the_tables_that_a_served_model_may_learn_from() -> None:
    """The others have a non-commercial licence or none of their own, or too little in common with a form."""
    assert [name for name, source in SOURCES.items() if not source.outside_training] == ["metabric", "tcga"]


def test_metabric_and_gse4335_bring_their_genes() -> None:
    """One row a patient."""
    assert np.shape(real("metabric").expression) == (1332, 489)
    assert np.shape(real("gse4335").expression) == (113, 12_793)


SMUGGLED = {
    "itself": lambda npi, rng: npi,
    "turned round": lambda npi, rng: 10 - 3 * npi,
    "ranked": lambda npi, rng: np.argsort(np.argsort(npi)).astype(float),
    "noisy": lambda npi, rng: npi + rng.normal(0, 0.3, npi.shape),
}


@pytest.mark.parametrize("how", SMUGGLED)
def test_npi_under_another_name_is_flagged(how: str) -> None:
    """As it is, as its rank, or as a noisy copy."""
    table = real("metabric")
    npi = table.withheld["nottingham_prognostic_index"]
    smuggled = table.with_fact(Fact("prognosis", high=10), SMUGGLED[how](npi, np.random.default_rng(5)))
    assert [flag.fact for flag in screen(smuggled)] == ["prognosis"]
    with pytest.raises(Leakage, match="prognosis"):
        refuse_leaks(smuggled)


def test_a_category_that_repeats_a_forbidden_column_is_flagged() -> None:
    """Though it says it in other words, in another order, and alone tells the outcome little."""
    table = real("metabric")
    coded = np.array([2.0, 0.0])[table.withheld["radio_therapy"].astype(int)]
    flags = screen(table.with_fact(Fact("arm", values=("a", "b", "c")), coded))
    assert [flag.reason[:21] for flag in flags] == ["repeats radio_therapy"]


def test_what_tells_the_outcome_in_no_order_is_flagged() -> None:
    """Both ends of a number may be positive, and its order then says nothing."""
    rng = np.random.default_rng(2)
    column = rng.random(400)
    labels = abs(column - 0.5) > 0.25
    assert single_auc(column, labels) > 0.9


def test_being_known_at_all_may_tell() -> None:
    """A column filled in for one outcome only leaks, whatever it says."""
    rng = np.random.default_rng(1)
    labels = rng.random(200) < 0.5
    assert single_auc(np.where(labels, rng.random(200), np.nan), labels) == 1


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_noise_is_not_flagged(seed: int, is_category: bool) -> None:
    """Neither for what it tells nor for what it is like."""
    rng = np.random.default_rng(seed)
    column: Floats = rng.integers(0, 5, 300).astype(float)
    labels = rng.random(300) < 0.4
    assert single_auc(column, labels, is_category=is_category) < 0.75
    assert likeness(column, rng.random(300), is_category=is_category) < 0.5


def test_what_never_varies_is_like_nothing() -> None:
    """A constant has no correlation."""
    assert likeness(np.ones(50), np.arange(50.0)) == 0
