"""What messages told of a patient, as an image is held against it."""

from datetime import date

import pytest

from agent.core.demographics import Demographics
from agent.core.identities import Told

BORN = date(1970, 1, 1)
ANN = Told(BORN, "F", ("Roe^Ann", "Roe^Anna"))


@pytest.mark.parametrize(
    ("said", "others", "name"),
    [
        (Demographics("Doe^Jane"), (), "Roe^Ann"),
        (Demographics("Doe^Jane", BORN), (), "Roe^Ann"),
        (Demographics("Doe^Jane", None, "F"), (), "Roe^Ann"),
        (Demographics("Doe^Jane", BORN, "F"), (), ""),  # confirmed: a maiden name
        (Demographics("Roe^Anna"), (), ""),
        (Demographics("Doe^Jane"), (Told(names=("Doe^Jane",)),), ""),  # told of another key of hers
        (Demographics("Doe^Jane", date(1971, 1, 1), "F"), (Told(date(1971, 1, 1), "F"),), ""),
        (Demographics("=山田^花子"), (), ""),
        (Demographics(), (), ""),
    ],
)
def test_a_name_counts_where_none_that_was_told_is_hers(
    said: Demographics, others: tuple[Told, ...], name: str
) -> None:
    """Birth date and sex always do; of the names the first, where the image's is none of them."""
    assert ANN.against(said, [ANN, *others]) == Demographics(name, BORN, "F")


def test_no_name_was_told() -> None:
    """Then an image's name contradicts nothing."""
    told = Told(None, "F")
    assert told.against(Demographics("Doe^Jane"), [told]) == Demographics("", None, "F")
