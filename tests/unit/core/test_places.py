"""Places of records in the spool."""

import pytest

from agent.core.instance import SpoolRef


def test_a_place_is_found_by_its_id() -> None:
    """Three numbers."""
    ref = SpoolRef(12, 3, 8192)
    assert ref.id == "12.3.8192"
    assert SpoolRef.of_id(ref.id) == ref


@pytest.mark.parametrize("text", ["", "12.3", "12.3.8192.1", "a.b.c"])
def test_what_is_no_id_names_no_place(text: str) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match=r"invalid literal|unpack"):
        SpoolRef.of_id(text)


def test_an_odd_place_is_that_of_no_record() -> None:
    """It stands for what is hidden there."""
    assert [SpoolRef(1, 1, offset).is_hidden for offset in (8192, 8193)] == [False, True]
