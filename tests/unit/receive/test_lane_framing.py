"""PDUs and fragments, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.receive.lane.framing import AbortReason, InvalidPdu, encode_abort, encode_command, fragments, header
from tests.pdus import ABORT, aborted, pdu, pdv


def _all(body: bytes) -> list[tuple[int, bool, bool, bytes]]:
    return [(f.context_id, f.is_command, f.is_last, bytes(f.value)) for f in fragments(memoryview(body))]


def test_a_header_is_type_and_length() -> None:
    """Big endian; the second byte counts for nothing."""
    assert header(memoryview(bytes.fromhex("04ff00010203"))) == (4, 0x00010203)


def test_fragments_come_in_order_with_their_control_bits() -> None:
    """Several in one PDU, odd and empty ones too; further bits of the control header count for nothing."""
    body = pdv(1, 3, b"abc") + pdv(3, 0, b"") + pdv(255, 0xFE, b"z")
    assert _all(body) == [(1, True, True, b"abc"), (3, False, False, b""), (255, False, True, b"z")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        pdv(1, 3, b"abc")[:-1],
        pdv(1, 3, b"abc") + b"\0\0\0\2\1",
        b"\0\0\0\0\1\3",
        b"\0\0\0\1\1\3",
        b"\xff\xff\xff\xff\1\3abc",
    ],
)
def test_a_length_that_does_not_fit_is_invalid(body: bytes) -> None:
    """Too short for context id and control header, beyond the PDU, or no item at all."""
    with pytest.raises(InvalidPdu, match="invalid_pdu_parameter_value") as found:
        _all(body)
    assert found.value.reason is AbortReason.INVALID_PDU_PARAMETER_VALUE


def test_more_fragments_than_anybody_sends_are_invalid() -> None:
    """256 in a PDU are taken."""
    assert len(_all(pdv(1, 0, b"x") * 256)) == 256
    with pytest.raises(InvalidPdu, match="more fragments in a PDU than allowed"):
        _all(pdv(1, 0, b"x") * 257)


@given(st.binary(max_size=200))
def test_any_bytes_are_fragments_or_invalid(body: bytes) -> None:
    """Whole fragments tile the body exactly; nothing else is raised."""
    try:
        found = _all(body)
    except InvalidPdu:
        return
    again = b"".join(pdv(context, is_command + 2 * is_last, value) for context, is_command, is_last, value in found)
    assert len(again) == len(body)
    assert all(one == other or one == other & 3 for one, other in zip(again, body, strict=True))


def test_a_command_is_one_pdu_where_the_peer_takes_it() -> None:
    """With no limit, and with one that just fits."""
    expected = pdu(pdv(5, 3, b"command"))
    assert encode_command(5, b"command", 0) == encode_command(5, b"command", 13) == expected


def test_a_command_is_split_where_the_peer_takes_less() -> None:
    """Each PDU keeps to the limit, and only the last fragment says so."""
    assert encode_command(5, b"command", 9) == pdu(pdv(5, 1, b"com")) + pdu(pdv(5, 1, b"man")) + pdu(pdv(5, 3, b"d"))
    assert encode_command(5, b"ab", 1) == pdu(pdv(5, 1, b"a")) + pdu(pdv(5, 3, b"b"))


def test_an_abort_says_who_and_why() -> None:
    """Provider and reason, or the user, who gives none."""
    assert encode_abort() == ABORT
    assert [encode_abort(reason) for reason in AbortReason] == [aborted(2, reason) for reason in (0, 1, 2, 6)]
