"""A status with which a query or a retrieval ends is told in words."""

import pytest

from agent.core.errors import Permanent, Transient
from agent.dimse.query import failure


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA701, "it is out of resources"),
        (0xA702, "it is out of resources"),
        (0xA801, "the PACS does not know our AE title as a destination"),
        (0xA900, "it does not understand the identifiers of the query"),
        (0xC000, "it cannot process the request"),
        (0xCFFF, "it cannot process the request"),
    ],
)
def test_known_codes_are_told_in_words(status: int, words: str) -> None:
    """With the number beside, for the vendor."""
    assert str(failure("C-MOVE", status)).startswith(f"C-MOVE ended with status 0x{status:04X}: {words}")


def test_other_codes_are_told_by_number() -> None:
    """And no answer as none."""
    assert str(failure("C-FIND", 0x1234)) == "C-FIND ended with status 0x1234"
    assert str(failure("C-FIND", None)) == "C-FIND ended with no response"


def test_what_the_words_say_does_not_change_what_follows() -> None:
    """Refused for good, or tried again."""
    assert isinstance(failure("C-MOVE", 0xA900), Permanent)
    assert isinstance(failure("C-MOVE", 0xA801), Transient)
