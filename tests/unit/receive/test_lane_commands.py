"""Command sets, byte by byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.receive.lane.commands import MalformedCommand, Operation, Request, encode_response, parse
from tests.pdus import (
    CANCEL_RQ,
    COMMITMENT,
    COMMITMENT_INSTANCE,
    FIND_RQ,
    SC,
    VERIFICATION,
    action_rq,
    command,
    echo_rq,
    element,
    pdu,
    pdv,
    report_rq,
    report_rsp,
    store_rq,
)


def test_a_store_request_is_read() -> None:
    """The UIDs are the bytes that came, padding included."""
    assert parse(store_rq()) == Request(Operation.STORE, 7, True, SC, b"1.2.3\0")


def test_an_echo_request_is_read() -> None:
    """It has no dataset and no instance."""
    assert parse(echo_rq()) == Request(Operation.ECHO, 9, False, VERIFICATION, None)


def test_what_does_not_matter_is_passed_over() -> None:
    """Priority, move originator, order, a wrong group length, elements that nobody knows."""
    body = element(0x1031, 5) + element(0x1030, b"MOVER ") + element(0x0700, 2) + element(0x4321, b"?")
    body += store_rq()[12:]
    assert parse(element(0, b"\xff\xff\xff\xff") + body) == parse(store_rq())


@pytest.mark.parametrize("kind", [0x0000, 0x0102, 0xFFFF])
def test_any_dataset_type_but_0101_announces_a_dataset(kind: int) -> None:
    """PS3.7 section E.1: 0101H is the null value, all others tell that one follows."""
    assert parse(store_rq(x0800=kind)).has_dataset


def test_an_event_report_is_read() -> None:
    """With its type; one that is no number is none."""
    request = parse(report_rq())
    assert request == Request(Operation.EVENT_REPORT, 4, True, COMMITMENT, COMMITMENT_INSTANCE, b"\2\0")
    assert request.event_type_id == 2
    assert parse(report_rq(x1002=b"\2")).event_type_id is None
    assert parse(report_rq(x1002=None)).event_type_id is None


def test_what_is_requested_stands_for_what_is_affected() -> None:
    """N-ACTION names class and instance so, and its response names them as affected (PS3.7 section 10.3.4)."""
    assert parse(action_rq()) == Request(0x0130, 6, True, COMMITMENT, COMMITMENT_INSTANCE, None, b"\1\0")


@pytest.mark.parametrize("field", [FIND_RQ, 0x0021, 0x0140, 0x0150, 0x7FFF])
def test_any_other_request_is_read(field: int) -> None:
    """It is answered, too."""
    request = parse(command({0x0100: field, 0x0110: 5, 0x0800: 1}))
    assert request == Request(field, 5, True, None, None)
    assert encode_response(request, 0x0211) == command(
        {0x0100: field | 0x8000, 0x0120: 5, 0x0800: 0x0101, 0x0900: 0x0211}
    )


@pytest.mark.parametrize("field", [0x8001, 0x8100, 0xFFFF, CANCEL_RQ])
def test_responses_and_cancels_have_no_response(field: int) -> None:
    """Whatever message they are about, and whether it is ours."""
    request = parse(command({0x0100: field, 0x0120: 5, 0x0800: 0x0101}))
    assert request == Request(field, None, False, None, None)
    with pytest.raises(ValueError, match="no response"):
        encode_response(request, 0)


def test_a_report_is_answered_with_its_type() -> None:
    """PS3.7 table 10.3-2."""
    assert pdu(pdv(5, 3, encode_response(parse(report_rq()), 0))) == report_rsp()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\0",
        store_rq()[:-1],
        store_rq() + b"\0\0\0",
        store_rq() + struct.pack("<HHI", 0, 0x2000, 0xFFFFFFFF),
        store_rq() + struct.pack("<HHI", 8, 0x18, 2) + b"1\0",
        store_rq(x0100=None),
        store_rq(x0110=None),
        store_rq(x0800=None),
        store_rq(x0110=b"\1"),
    ],
)
def test_what_cannot_be_answered_is_malformed(broken: bytes) -> None:
    """Cut short, of another group, without a command field, message id or dataset type."""
    with pytest.raises(MalformedCommand):
        parse(broken)


@pytest.mark.parametrize("uid", [b"1.2.3\0", b"1.2.3 ", b"1.2.3", b"1.2.30", b"", None])
def test_a_response_repeats_what_was_asked(uid: bytes | None) -> None:
    """Message id and UIDs as they came, to the byte; no element for a UID that was not there."""
    request = parse(store_rq(x1000=uid, message_id=0xFFFF))
    expected = {0x0002: SC, 0x0100: 0x8001, 0x0120: 0xFFFF, 0x0800: 0x0101, 0x0900: 0xA700, 0x1000: uid}
    assert encode_response(request, 0xA700) == command(expected)


@given(st.binary(max_size=120) | st.binary(max_size=40).map(lambda tail: store_rq()[:60] + tail))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    """Nothing else is raised; what is read has a message id, by which it is answered, but for what has no response."""
    try:
        request = parse(data)
    except MalformedCommand:
        return
    assert 0 <= request.field <= 0xFFFF
    assert (request.message_id is None) == (request.field == CANCEL_RQ or request.field >= 0x8000)
