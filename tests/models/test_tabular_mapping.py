"""MAPPING.yaml: what is understood of it, and every way in which a person may get it wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.core.manifest import FactSpec
from models.tabular.mapping import Mapped, read
from models.tabular.rules import MappingError

FACTS = (
    FactSpec("age", "years", (), 60.0, 13.0, 20.0, 97.0),
    FactSpec("size_ultrasound_mm", "mm", (), 27.0, 14.0, 1.0, 180.0),
    FactSpec("er", "", ("negative", "positive")),
)
LABEL = {"column": "nodes", "at_least": "1"}


def mapped(folder: Path, rows: str, mapping: dict[str, Any] | str) -> Mapped:
    """Read a table of id, age, size, er and nodes."""
    (folder / "t.csv").write_text("id,age,size,er,nodes\n" + rows)
    (folder / "m.yaml").write_text(mapping if isinstance(mapping, str) else yaml.safe_dump(mapping))
    return read(folder / "t.csv", folder / "m.yaml", FACTS, labelled=True)


def errors(folder: Path, rows: str, mapping: dict[str, Any] | str) -> list[str]:
    """Return the lines of what is wrong."""
    with pytest.raises(MappingError) as found:
        mapped(folder, rows, mapping)
    return str(found.value).splitlines()


def test_a_yes_of_a_table_is_a_word(tmp_path: Path) -> None:
    """YAML would have made it True."""
    text = """
label: {column: nodes, at_least: 1}
missing: "?"
facts:
  er: {column: er, values: {yes: positive, no: negative, unclear: null}}
"""
    found = mapped(tmp_path, "1,,,yes,1\n2,,,No,0\n3,,,unclear,0\n4,,,?,0\n", text)
    assert found.present[:, 2].tolist() == [True, True, False, False]
    assert found.values[:2, 2].tolist() == [1, 0]


def test_rows_without_a_patient_are_patients_of_their_own(tmp_path: Path) -> None:
    """Taken for one patient they would be drawn together."""
    facts = {"age": {"column": "age", "unit": "years"}}
    found = mapped(tmp_path, "a,50,,,1\n,51,,,0\n ,52,,,0\n", {"patient": "id", "label": LABEL, "facts": facts})
    assert found.patients == ("a", "row 2", "row 3")


def test_decimals_may_have_a_comma(tmp_path: Path) -> None:
    """Where the mapping says so; else each is named."""
    rows = '1,50,"2,5",,1\n2,50,"1,5",,0\n'
    mapping = {"label": LABEL, "facts": {"size_ultrasound_mm": {"column": "size", "unit": "cm"}}}
    assert mapped(tmp_path, rows, mapping | {"decimal": ","}).values[:, 1].tolist() == [25, 15]
    assert errors(tmp_path, rows, mapping) == [
        "facts.size_ultrasound_mm: '1,5' in column size is not a number",
        "facts.size_ultrasound_mm: '2,5' in column size is not a number",
    ]


def test_centimetres_said_to_be_millimetres_are_suspected(tmp_path: Path) -> None:
    """They lie within the training range, but not where its middle is; a factor says that they are meant."""
    rows = "1,,2.5,,1\n2,,1.5,,0\n3,,3.1,,0\n"
    said = {"column": "size", "unit": "mm"}
    (error,) = errors(tmp_path, rows, {"label": LABEL, "facts": {"size_ultrasound_mm": said}})
    assert error.startswith(
        "facts.size_ultrasound_mm: half of the values are below 2.5 mm, the mean in training was 27"
    )
    meant = {"label": LABEL, "facts": {"size_ultrasound_mm": said | {"factor": 1}}}
    assert mapped(tmp_path, rows, meant).values[:, 1].tolist() == [2.5, 1.5, 3.1]


def test_what_is_no_finite_number_is_named(tmp_path: Path) -> None:
    """An endless age would reach the network."""
    rows = "1,inf,,,1\n2,1e999,,,0\n3,50,,,0\n"
    mapping = {"label": LABEL, "facts": {"age": {"column": "age", "unit": "years"}}}
    assert errors(tmp_path, rows, mapping) == [
        "facts.age: '1e999' in column age is not a number",
        "facts.age: 'inf' in column age is not a number",
    ]


def test_many_strange_words_are_counted(tmp_path: Path) -> None:
    """Ten are named: a column of dates does not fill the screen."""
    rows = "".join(f"{i},19{i:02d}-01-01,,,{i % 2}\n" for i in range(30))
    said = errors(tmp_path, rows, {"label": LABEL, "facts": {"age": {"column": "age", "unit": "years"}}})
    assert len(said) == 11 and said[-1] == "facts.age: and 20 more like these"


def test_no_fact_is_read_from_the_label(tmp_path: Path) -> None:
    """It would know the outcome."""
    mapping = {"label": LABEL, "facts": {"age": {"column": "nodes", "factor": 50}}}
    (error,) = errors(tmp_path, "1,50,,,1\n2,50,,,1\n", mapping)
    assert error == "facts.age: nodes is the label's column, which no fact may know"


ANY = {"er": {"column": "er"}}


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("facts: [\n a: :", ["the mapping is no YAML: while parsing"]),
        ("- facts", ["the mapping is not a list of names and values"]),
        ({"label": LABEL, "facts": ["age"]}, ["facts: holds names and values, not ['age']", "facts: none is mapped"]),
        ({"label": "nodes", "facts": ANY}, ["label: holds column, at_least, positive, negative, not 'nodes'"]),
        ({"label": LABEL | {"at_least": "many"}, "facts": ANY}, ["label.at_least: 'many' is no number"]),
        ({"label": LABEL | {"positive": ["1"]}, "facts": ANY}, ["label: give either at_least, or positive and"]),
        ({"label": {"column": "nodes", "positive": "1", "negative": ["1", "0"]}, "facts": ANY}, ["label: '1' is both"]),
        ({"label": LABEL, "facts": {"er": {"column": "er", "values": ["p"]}}}, ["facts.er.values: holds names and"]),
        ({"label": LABEL, "facts": {"er": {}}}, ["facts.er: names no column"]),
        ({"label": LABEL, "facts": {"er": {"column": ["er"]}}}, ["facts.er.column: is one word, not ['er']"]),
        ({"label": LABEL, "facts": ANY, "decimal": ";"}, ["decimal: ';' is neither . nor ,"]),
        ({"label": LABEL, "facts": {"age": {"column": "age", "factor": "x"}}}, ["facts.age.factor: 'x' is no number"]),
        (
            {"label": LABEL, "facts": {"age": {"column": "age", "unit": "months", "values": {"50": 50}}}},
            ["facts.age: values are translated into years already"],
        ),
        ({"label": {"column": "er", "at_least": 1}, "facts": {"age": {"column": "age", "unit": "years"}}},
         ["label: 'negative' is no number from 0 on"]),
    ],
)  # fmt: skip
def test_each_mistake_has_a_line(tmp_path: Path, mapping: dict[str, Any] | str, said: list[str]) -> None:
    """None of them is a traceback."""
    found = errors(tmp_path, "1,50,,positive,1\n2,50,,negative,0\n", mapping)
    for start in said:
        assert any(line.startswith(start) for line in found), found
