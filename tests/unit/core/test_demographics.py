"""Statements about one person and about two."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.demographics import UNSAID, Demographics, contradiction

BORN, LATER = date(1970, 1, 1), date(1970, 1, 10)
STATEMENTS = st.builds(
    Demographics,
    st.sampled_from(["", "DOE^JANE", "Doe-Smith^J", "ROE^JANE", "MEYER^ANNA", "Meier^Anna", "Yamada=山田", "山田"])
    | st.text(max_size=12),
    st.sampled_from([None, BORN, LATER]),
    st.sampled_from(["", "F", "M", "O", "f", "X"]),
)


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        (UNSAID, Demographics("DOE^JANE", BORN, "F"), ""),
        (Demographics("DOE^JANE", BORN, "F"), Demographics("Doe^Jane", BORN, "F"), ""),
        (Demographics("DOE^JANE", BORN), Demographics("DOE^JANE", LATER), "the birth dates differ"),
        (Demographics("DOE^JANE", BORN), Demographics("DOE^JANE"), ""),
        (Demographics(sex="F"), Demographics(sex="M"), "the sexes differ"),
        (Demographics(sex="F"), Demographics(sex="m "), "the sexes differ"),
        (Demographics(sex="F"), Demographics(sex="O"), ""),
        (Demographics(sex="F"), Demographics(sex=""), ""),
        (Demographics("DOE^JANE"), Demographics("ROE^JANE"), "the names differ"),
        (
            Demographics("DOE^JANE", BORN, "F"),
            Demographics("ROE^JOHN", LATER, "M"),
            "the names and the birth dates and the sexes differ",
        ),
        (Demographics("Yamada^Hanako", BORN, "F"), Demographics("山田^花子", BORN, "F"), ""),
        (Demographics("Yamada^Hanako", BORN, "F"), Demographics("山田^花子", LATER, "F"), "the birth dates differ"),
    ],
)
def test_what_contradicts(a: Demographics, b: Demographics, found: str) -> None:
    """Strict where something is said twice, silent where it is not; the reason holds no value."""
    assert contradiction(a, b) == found


@pytest.mark.parametrize(
    ("born", "sex", "found"),
    [
        (BORN, "F", ""),
        (None, "F", "the names differ"),
        (BORN, "", "the names differ"),
        (BORN, "O", "the names differ"),
        (LATER, "F", "the names and the birth dates differ"),
        (BORN, "M", "the names and the sexes differ"),
    ],
)
def test_a_typing_error_in_a_name_alone(born: date | None, sex: str, found: str) -> None:
    """It is one only where birth date and sex are said and equal."""
    assert contradiction(Demographics("MEYER^ANNA", BORN, "F"), Demographics("MEIER^ANNA", born, sex)) == found


def test_equal_silence_confirms_nothing() -> None:
    """Two statements without birth date or sex are not equal in them."""
    for one in (Demographics("MEYER^ANNA"), Demographics("MEYER^ANNA", BORN, "O")):
        assert contradiction(one, Demographics("MEIER^ANNA", one.birth_date, one.sex)) == "the names differ"


@given(STATEMENTS, STATEMENTS)
def test_contradicting_is_symmetric(a: Demographics, b: Demographics) -> None:
    """Whichever statement came first, the verdict is the same."""
    assert contradiction(a, b) == contradiction(b, a)


@given(STATEMENTS)
def test_nobody_contradicts_herself(said: Demographics) -> None:
    """A statement agrees with itself, and with one that says nothing."""
    assert contradiction(said, said) == contradiction(said, UNSAID) == ""


def test_not_transitive() -> None:
    """A short name agrees with two persons, so statements are compared each with each."""
    short, one, other = Demographics("DOE"), Demographics("DOE^JANE"), Demographics("DOE^JOAN")
    assert contradiction(short, one) == contradiction(short, other) == ""
    assert contradiction(one, other) == "the names differ"
