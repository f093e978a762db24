"""Every status that a C-STORE response can carry."""

from collections import Counter

from agent.core.dimse_status import Judgement, judge

# first code, last code, judgement; what no row names is refused
TABLE = [
    (0x0000, 0x0000, Judgement.STORED),
    (0x0001, 0x0001, Judgement.STORED_WITH_WARNING),
    (0x0107, 0x0107, Judgement.STORED_WITH_WARNING),
    (0x0110, 0x0110, Judgement.RETRY),
    (0x0111, 0x0111, Judgement.STORED_WITH_WARNING),
    (0x0116, 0x0116, Judgement.STORED_WITH_WARNING),
    (0x0213, 0x0213, Judgement.RETRY),
    (0xA700, 0xA7FF, Judgement.RETRY),
    (0xB000, 0xBFFF, Judgement.STORED_WITH_WARNING),
]


def test_every_code_has_the_judgement_of_the_table() -> None:
    """All 65,536 codes are judged as the table says, and what it does not name is refused."""
    wanted = dict.fromkeys(range(0x10000), Judgement.REFUSED)
    for first, last, judgement in TABLE:
        wanted.update(dict.fromkeys(range(first, last + 1), judgement))
    assert {code: judge(code) for code in range(0x10000)} == wanted


def test_only_success_is_stored_without_a_word() -> None:
    """The counts of each judgement, so that a widened row shows."""
    counts = Counter(judge(code) for code in range(0x10000))
    assert counts == {
        Judgement.STORED: 1,
        Judgement.STORED_WITH_WARNING: 0x1000 + 4,
        Judgement.RETRY: 0x100 + 2,
        Judgement.REFUSED: 0x10000 - 0x1000 - 0x100 - 7,
    }
