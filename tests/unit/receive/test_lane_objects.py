"""The loop, fed by a script: which objects are stored, as what, and which are refused."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from agent.core.ports import RecordKind
from agent.receive.lane import Ending
from tests.fakes.drafts import FakeChannel
from tests.pdus import SC, command, echo_rq, echo_rsp, pdu, pdv, store_rq, store_rsp
from tests.unit.receive.scripted_lane import BEGUN, CONTEXTS, EXPLICIT, STORE, ScriptedWire, Served

pytestmark = pytest.mark.usefixtures("quiet")

CT = b"1.2.840.10008.5.1.4.1.1.2\0"


def test_a_record_says_what_the_object_is() -> None:
    """UIDs without padding, the context's transfer syntax, the association, the parties."""
    served = Served(STORE)
    assert served.channel.records[-1] == (
        RecordKind.INSTANCE,
        {
            "association_id": f"{UUID(int=7)}/1",
            "peer": "127.0.0.1",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7",
            "sop_instance_uid": "1.2.3",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        },
        b"dataset",
    )
    assert served.outcome.ending is Ending.LOST


def test_an_object_is_logged_once() -> None:
    """At debug level, by its UID and its association's id; one that is refused is complained of besides."""
    with capture_logs() as log:
        Served(STORE)
        channel = FakeChannel()
        channel.fail_at = {"commit"}
        served = Served(STORE, channel=channel)
    ids = {"association_id": f"{UUID(int=7)}/1", "sop_instance_uid": "1.2.3"}
    assert log == [
        {"event": "instance_stored", "log_level": "debug", **ids},
        {"event": "instance_refused", "log_level": "debug", "reason": "told to", **ids},
    ]
    assert served.complaints == [("error", "instance_refused", "told to", {"sop_instance_uid": "1.2.3"})]


@pytest.mark.parametrize("call", ["begin", "write", "commit"])
def test_a_full_disk_refuses_one_object_after_it_was_taken(call: str) -> None:
    """0xA700 for it, whichever call fails; the next one of the association is stored."""
    channel = FakeChannel()
    channel.fail_at = {call}
    data = pdu(pdv(1, 0, b"y" * 4000)) * 300 + pdu(pdv(1, 2, b"end"))

    def heal_once_answered(wire: ScriptedWire) -> None:
        if wire.sent:
            channel.fail_at = set()

    wire = ScriptedWire([pdu(pdv(1, 3, store_rq(message_id=1))) + data, STORE], heal_once_answered)
    served = Served(wire=wire, channel=channel)
    assert served.sent == store_rsp(message_id=1, status=0xA700) + store_rsp()
    assert channel.payloads == [b"dataset"]


def test_what_the_caller_may_not_do_is_refused_after_it_was_taken() -> None:
    """Object and echo alike; what may be done is done."""
    echo = pdu(pdv(3, 3, echo_rq()))
    served = Served(STORE + echo, may=frozenset({"echo"}))
    assert served.sent == store_rsp(status=0x0124) + echo_rsp()
    assert served.payloads == []
    served = Served(STORE + echo, may=frozenset({"store"}))
    assert served.sent == store_rsp() + echo_rsp(status=0x0124)
    assert served.payloads == [b"dataset"]


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        (pdu(pdv(1, 3, store_rq(x0800=0x0101))), store_rsp(status=0xC000)),
        (pdu(pdv(1, 3, store_rq(b"")) + pdv(1, 2, b"x")), store_rsp(b"", status=0xC000)),
        (pdu(pdv(1, 3, store_rq(b"1" * 256)) + pdv(1, 2, b"x")), store_rsp(b"1" * 256, status=0xC000)),
        (pdu(pdv(3, 3, store_rq()) + pdv(3, 2, b"x")), store_rsp(status=0x0122, context_id=3)),
        (pdu(pdv(5, 3, store_rq()) + pdv(5, 2, b"x")), store_rsp(status=0x0122, context_id=5)),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_the_association_goes_on(stream: bytes, answer: bytes) -> None:
    """Without dataset, without a UID, with an endless one, over the contexts for verification and commitment."""
    served = Served(stream + STORE)
    assert served.sent == answer + store_rsp()
    assert served.payloads == [b"dataset"]


def test_a_uid_of_255_is_stored() -> None:
    """Real modalities send UIDs that are too long."""
    assert Served(pdu(pdv(1, 3, store_rq(b"1" * 255)) + pdv(1, 2, b"x"))).payloads == [b"x"]


def test_an_object_of_a_class_that_was_not_negotiated_is_refused() -> None:
    """Whichever it is: another storage SOP class, a service, a private one; the association goes on."""
    for other in (CT, b"1.2.840.10008.1.1\0", b"1.2.3.4\0"):
        served = Served(pdu(pdv(1, 3, store_rq(x0002=other)) + pdv(1, 2, b"x")) + STORE)
        refused = command(
            {0x0002: other, 0x0100: 0x8001, 0x0120: 7, 0x0800: 0x0101, 0x0900: 0x0122, 0x1000: b"1.2.3\0"}
        )
        assert served.sent == pdu(pdv(1, 3, refused)) + store_rsp()
        assert served.payloads == [b"dataset"]
        assert [(event, reason) for _, event, reason, _ in served.complaints] == [
            ("instance_refused", "a SOP class that was not negotiated")
        ]


def test_an_object_over_another_context_of_its_association_is_stored() -> None:
    """What it is was agreed on; so it is with padding that is none."""
    contexts = CONTEXTS | {7: (CT.decode().rstrip("\0"), EXPLICIT)}
    for sop_class in (CT, SC.replace(b"\0", b" ")):
        served = Served(pdu(pdv(1, 3, store_rq(x0002=sop_class)) + pdv(1, 2, b"x")), contexts=contexts)
        assert served.payloads == [b"x"]


def test_what_was_stored_is_counted() -> None:
    """Objects and their bytes, also those that came in parts; what was refused is not among them."""
    large = BEGUN + pdu(pdv(1, 0, bytes(4000))) * 600 + pdu(pdv(1, 2, b"end"))
    served = Served(large + STORE + pdu(pdv(1, 3, store_rq(b""))) + pdu(pdv(1, 2, b"x")))
    assert (served.tally.objects, served.tally.bytes) == (2, 600 * 4000 + 3 + 7)
