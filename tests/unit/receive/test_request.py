"""What is read of an association request before there is an association."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.receive.request import HEADER_BYTES, MAX_REQUEST_BYTES, MalformedRequest, body_length, parse_request
from tests.receivers import EVERYTHING
from tests.senders import associate_rq

REQUEST = associate_rq("SENDER", "SENTINODE", EVERYTHING, {EVERYTHING[2][0]: (0, 1)})


def item(kind: int, value: bytes) -> bytes:
    """Return an item of a request."""
    return struct.pack(">BxH", kind, len(value)) + value


def test_a_request_says_who_calls_whom_for_what() -> None:
    """AE titles without their padding; each abstract syntax once."""
    found = parse_request(REQUEST)
    assert (found.called, found.calling) == ("SENTINODE", "SENDER")
    assert found.abstract_syntaxes == {uid for uid, _ in EVERYTHING}
    assert body_length(REQUEST[:HEADER_BYTES]) == len(REQUEST) - HEADER_BYTES


@pytest.mark.parametrize("header", [(4, 100), (0, 100), (1, 67), (1, MAX_REQUEST_BYTES + 1), (0x47, 0x20486974)])
def test_a_header_that_no_request_has_is_refused(header: tuple[int, int]) -> None:
    """Before any byte of a body is read."""
    with pytest.raises(MalformedRequest):
        body_length(struct.pack(">BxI", *header))


def test_as_many_contexts_as_there_are_ids_are_read() -> None:
    """Each with every transfer syntax there is."""
    contexts = [item(0x20, b"\1\0\0\0" + item(0x30, b"1.2.%d" % n) + item(0x40, b"1.2") * 46) for n in range(128)]
    assert len(parse_request(REQUEST[: HEADER_BYTES + 68] + b"".join(contexts)).abstract_syntaxes) == 128


@pytest.mark.parametrize(
    "items",
    [
        b"\x10",
        b"\x10\0\0\5abc",
        item(0x20, b"\1\0\0\0" + b"\x30\0\0\x09ab"),
        item(0x20, b"\1\0\0\0" + item(0x40, b"1.2")),
        item(0x20, b"\1"),
        item(0x10, b"") * 1025,
        item(0x20, b"\1\0\0\0" + item(0x30, b"1.2")) * 129,
        item(0x20, b"\1\0\0\0" + item(0x40, b"") * 6144 + item(0x30, b"1.2")),
        item(0x20, b"\1\0\0\0" + item(0x30, b"1.2") + item(0x40, b"") * 48) * 128,
        item(0x20, b"\1\0\0\0" + item(0x30, b"1.2")) + item(0x50, item(0x54, b"") * 6144),
    ],
)
def test_items_that_do_not_fit_are_refused(items: bytes) -> None:
    """Ended in the head, longer than the rest, without abstract syntax, more than there are."""
    with pytest.raises(MalformedRequest):
        parse_request(bytes(74) + items)


@given(st.binary(max_size=400), st.integers(0, len(REQUEST)), st.integers(0, len(REQUEST)))
def test_nothing_else_comes_of_any_bytes(noise: bytes, start: int, end: int) -> None:
    """A request, or the one error; the same for `bytes` and `bytearray`."""
    pdu = REQUEST[:start] + noise + REQUEST[end:]
    if len(pdu) < 74:
        return
    try:
        found = parse_request(pdu)
    except MalformedRequest:
        with pytest.raises(MalformedRequest):
            parse_request(bytearray(pdu))
    else:
        assert found == parse_request(bytearray(pdu))
