"""Every status that a peer can answer with when results are delivered."""

from collections import Counter
from typing import Any

import pytest

from agent.core.dimse_status import (
    C_STORE,
    FAILURE_REASON,
    N_ACTION,
    Asked,
    Judgement,
    StatusClass,
    Uncommitted,
    judge,
    row_of,
    spell,
)

TABLES = {"C-STORE": C_STORE, "N-ACTION": N_ACTION, "failure reason": FAILURE_REASON}
STORED, WARNED, RETRY = Judgement.STORED, Judgement.STORED_WITH_WARNING, Judgement.RETRY
NOT_OFFERED, REFUSED = Judgement.NOT_OFFERED, Judgement.REFUSED

# PS3.4 table B.2-1 and PS3.7 annex C, written down a second time: first code, last code, judgement, class
OF_STORE = [
    (0x0000, 0x0000, STORED, "success"),
    (0xA700, 0xA7FF, RETRY, "failure"),
    (0xA900, 0xA9FF, REFUSED, "failure"),
    (0xC000, 0xCFFF, REFUSED, "failure"),
    (0xB000, 0xBFFF, WARNED, "warning"),
    (0x0001, 0x0001, WARNED, "warning"),
    (0x0107, 0x0107, WARNED, "warning"),
    (0x0116, 0x0116, WARNED, "warning"),
    (0x0105, 0x0106, REFUSED, "failure"),
    (0x0110, 0x0110, RETRY, "failure"),
    (0x0111, 0x0111, WARNED, "failure"),
    (0x0112, 0x0115, REFUSED, "failure"),
    (0x0117, 0x0117, REFUSED, "failure"),
    (0x0118, 0x0118, NOT_OFFERED, "failure"),
    (0x0119, 0x0121, REFUSED, "failure"),
    (0x0122, 0x0122, NOT_OFFERED, "failure"),
    (0x0123, 0x0124, REFUSED, "failure"),
    (0x0210, 0x0212, REFUSED, "failure"),
    (0x0213, 0x0213, RETRY, "failure"),
    (0xFE00, 0xFE00, REFUSED, "cancel"),
    (0xFF00, 0xFF01, REFUSED, "pending"),
]
NAMED = [
    *(0x0000, 0x0001, 0x0105, 0x0106, 0x0107),
    *(*range(0x0110, 0x011A), *range(0x0120, 0x0125), *range(0x0210, 0x0214)),
    *(0xA700, 0xA9FF, 0xB000, 0xB006, 0xB007, 0xC000, 0xFE00, 0xFF00, 0xFF01),
]
"""What PS3.4 table B.2-1 and PS3.7 annex C name."""


def test_every_code_of_c_store_has_the_judgement_and_class_of_the_standard() -> None:
    """All 65,536 codes; what the standard does not name is a refusal."""
    wanted = dict.fromkeys(range(0x10000), (REFUSED, "failure"))
    for first, last, judgement, kind in OF_STORE:
        wanted.update(dict.fromkeys(range(first, last + 1), (judgement, kind)))
    rows = {code: row_of(C_STORE, code) for code in range(0x10000)}
    assert {code: (row.then, row.kind) for code, row in rows.items()} == wanted
    assert all(judge(code) is rows[code].then for code in NAMED)


def test_only_success_is_stored_without_a_word() -> None:
    """The counts of each judgement, so that a widened row shows."""
    assert Counter(judge(code) for code in range(0x10000)) == {
        STORED: 1,
        WARNED: 0x1000 + 4,
        RETRY: 0x100 + 2,
        NOT_OFFERED: 2,
        REFUSED: 0x10000 - 0x1000 - 0x100 - 9,
    }


@pytest.mark.parametrize("status", NAMED)
def test_what_the_standard_names_has_a_row_of_its_own(status: int) -> None:
    """Its name is the standard's, and its source says where."""
    row = row_of(C_STORE, status)
    assert row.source.startswith("PS3.")
    assert row.name != "failure"
    assert row.last - row.first <= 0xFFF


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_needed(name: str) -> None:
    """Each decides about some code: none lies hidden under those above it; none of the 65,536 is without a row."""
    table: Any = TABLES[name]
    deciding = {id(row_of(table, code)) for code in range(0x10000)}
    hidden = [row.codes for row in table if id(row) not in deciding]
    assert hidden == []


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (0x0000, Asked.ACCEPTED),
        (0x0107, Asked.ACCEPTED),
        (0xB123, Asked.ACCEPTED),
        (0x0110, Asked.ASK_AGAIN),
        (0x0112, Asked.NOT_OFFERED),
        (0x0115, Asked.ASK_AGAIN),
        (0x0118, Asked.NOT_OFFERED),
        (0x0122, Asked.NOT_OFFERED),
        (0x0123, Asked.NOT_OFFERED),
        (0x0124, Asked.NOT_OFFERED),
        (0x0131, Asked.ASK_AGAIN),
        (0x0210, Asked.ASK_AGAIN),
        (0x0211, Asked.NOT_OFFERED),
        (0x0213, Asked.ASK_AGAIN),
        (0xA700, Asked.ASK_AGAIN),
        (0xC001, Asked.ASK_AGAIN),
        (0xFF00, Asked.ASK_AGAIN),
        (0x4711, Asked.ASK_AGAIN),
    ],
)
def test_answer_to_a_commitment_request(status: int, then: Asked) -> None:
    """A peer that cannot now is asked again, one that offers no commitment is not."""
    assert row_of(N_ACTION, status).then is then


def test_only_success_and_warnings_promise_a_report() -> None:
    """Of all codes."""
    promised = [code for code in range(0x10000) if row_of(N_ACTION, code).then is Asked.ACCEPTED]
    assert promised == [0x0000, 0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)]


@pytest.mark.parametrize(
    ("reason", "then"),
    [
        (0x0110, Uncommitted.SEND_AGAIN),
        (0x0112, Uncommitted.SEND_AGAIN),
        (0x0119, Uncommitted.REFUSED),
        (0x0122, Uncommitted.NOT_OFFERED),
        (0x0131, Uncommitted.ASK_AGAIN),
        (0x0213, Uncommitted.SEND_AGAIN),
    ],
)
def test_reason_why_an_object_is_not_committed(reason: int, then: Uncommitted) -> None:
    """Each of PS3.3 C.14.1.1; what it does not name means that the object is sent again."""
    assert row_of(FAILURE_REASON, reason).then is then
    assert row_of(FAILURE_REASON, reason).source == "PS3.3 C.14.1.1"
    assert row_of(FAILURE_REASON, reason + 0x1000).then is Uncommitted.SEND_AGAIN


def test_a_status_is_written_with_its_name() -> None:
    """As in the log and in `cases show`."""
    assert spell(C_STORE, 0xA7AB) == "0xA7AB, refused: out of resources"
    assert spell(C_STORE, 0xB006) == "0xB006, elements discarded"
    assert spell(FAILURE_REASON, 0x0112) == "0x0112, no such object instance"
    assert spell(N_ACTION, 0x4711) == "0x4711, no status of the standard"


def test_a_row_says_its_codes_as_the_standard_does() -> None:
    """One code, or a range."""
    assert [row.codes for row in C_STORE[:3]] == ["0000", "A700-A7FF", "A900-A9FF"]
    assert {row.kind for row in C_STORE} == set(StatusClass)
