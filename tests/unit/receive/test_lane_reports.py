"""The loop, fed by a script: event reports are kept, and every other request but a store or an echo is refused."""

from uuid import UUID

import pytest

from agent.core.ports import RecordKind
from agent.receive.intake import MAX_REPORT_BYTES
from agent.receive.lane import Ending
from agent.receive.lane.buffer import LEAST_BYTES
from tests.pdus import (
    ABORT,
    CANCEL_RQ,
    FIND_RQ,
    action_rq,
    action_rsp,
    command,
    pdu,
    pdv,
    report_rq,
    report_rsp,
    store_rsp,
)
from tests.unit.receive.scripted_lane import IMPLICIT, STORE, Served

pytestmark = pytest.mark.usefixtures("quiet")


def _reports(served: Served) -> list[tuple[dict[str, str], bytes]]:
    return [(meta, data) for kind, meta, data in served.channel.records if kind is RecordKind.EVENT_REPORT]


def _report(information: bytes, context_id: int = 5, **changes: bytes | int | None) -> bytes:
    parts = [information[at : at + 4000] for at in range(0, len(information), 4000)] or [b""]
    data = (pdv(context_id, 2 if n == len(parts) - 1 else 0, part) for n, part in enumerate(parts))
    return pdu(pdv(context_id, 3, report_rq(**changes))) + b"".join(map(pdu, data))


def test_an_event_report_is_kept_as_it_came() -> None:
    """Between objects, in parts, or without information at all; the record says what it is."""
    information = bytes(range(256)) * 100
    served = Served(STORE + _report(information) + pdu(pdv(5, 3, report_rq(x0800=0x0101))) + STORE)
    meta = {"association_id": f"{UUID(int=7)}/1", "event_type_id": "2", "transfer_syntax_uid": IMPLICIT}
    assert _reports(served) == [(meta, information), (meta, b"")]
    assert served.sent == store_rsp() + report_rsp() * 2 + store_rsp()
    assert served.payloads == [b"dataset"] * 2


@pytest.mark.parametrize("surplus", [0, 1, 3 * LEAST_BYTES])
def test_no_more_of_a_report_is_held_than_it_may_have(surplus: int) -> None:
    """One that is longer is taken to its end, refused and forgotten; the next one is kept."""
    served = Served(_report(bytes(MAX_REPORT_BYTES + surplus)) + _report(b"short"))
    assert [len(data) for _, data in _reports(served)] == ([] if surplus else [MAX_REPORT_BYTES]) + [5]
    assert [event for _, event, _, _ in served.complaints] == ["event_report_refused"] * bool(surplus)
    assert served.sent == report_rsp(status=0x0213 if surplus else 0) + report_rsp()


def test_a_report_that_is_not_kept_is_refused() -> None:
    """Without leave, over the context of another SOP class, without a type; nothing of it is recorded."""
    refused = Served(_report(b"x"), may=frozenset({"store", "echo"}))
    assert refused.sent == report_rsp(status=0x0124)
    elsewhere = Served(_report(b"x", context_id=1))
    assert elsewhere.sent == report_rsp(status=0x0118, context_id=1)
    typeless = Served(_report(b"x", x1002=None))
    assert typeless.sent == report_rsp(status=0x0113, event_type=None)
    assert _reports(refused) == _reports(elsewhere) == _reports(typeless) == []


def test_a_report_that_ends_half_way_leaves_nothing() -> None:
    """Nor an answer."""
    served = Served(pdu(pdv(5, 3, report_rq())) + pdu(pdv(5, 0, b"half")) + ABORT)
    assert (served.sent, _reports(served)) == (b"", [])


def test_a_request_to_commit_to_storage_is_refused() -> None:
    """N-ACTION: this is no archive; its dataset is dropped, however long, and the association goes on."""
    served = Served(pdu(pdv(5, 3, action_rq())) + pdu(pdv(5, 0, bytes(4000))) * 1000 + pdu(pdv(5, 2, b"")) + STORE)
    assert served.sent == action_rsp() + store_rsp()
    assert served.payloads == [b"dataset"]


@pytest.mark.parametrize(("field", "context_id"), [(FIND_RQ, 1), (0x0021, 3), (0x0110, 5), (0x7FFF, 1)])
def test_any_other_request_is_refused(field: int, context_id: int) -> None:
    """As an unrecognised operation, behind its whole dataset, and the association goes on."""
    rq, rsp = {0x0100: field, 0x0110: 5, 0x0800: 1}, {0x0100: field | 0x8000, 0x0120: 5, 0x0800: 0x0101, 0x0900: 0x0211}
    served = Served(pdu(pdv(context_id, 3, command(rq)) + pdv(context_id, 0, b"more")) + pdu(pdv(context_id, 2, b"")))
    assert served.sent == pdu(pdv(context_id, 3, command(rsp)))
    assert served.outcome.ending is Ending.LOST


@pytest.mark.parametrize("field", [0x8001, CANCEL_RQ])
def test_what_has_no_response_gets_none(field: int) -> None:
    """A cancel, and a response to what was never asked: dropped with the dataset, and the association goes on."""
    message = pdu(pdv(1, 3, command({0x0100: field, 0x0120: 5, 0x0800: 1, 0x0900: 0}))) + pdu(pdv(1, 2, b"data"))
    served = Served(message + STORE)
    assert (served.sent, served.payloads) == (store_rsp(), [b"dataset"])
