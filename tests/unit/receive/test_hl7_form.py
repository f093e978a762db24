"""How a message may be written, and why others are not accepted."""

import pytest

from agent.receive.hl7_verdict import judge
from tests.hl7_sender import adt_a08, adt_a40, message, msh, pid
from tests.hl7_verdicts import NOW, ONE, P1, P2, RULES, TWO, answer, keys, refused


def test_delimiters_are_the_senders() -> None:
    """MSH-1 and MSH-2 rule, in the answer too."""
    raw = adt_a40((TWO, ONE)).replace(b"|", b"#").replace(b"^~\\&", b"^~%&").replace(b"^", b"*")
    assert keys(raw) == [(P1, P2)]
    assert answer(raw) == b"MSH#*~%&#SENTINODE#RAD#HIS#HOSP#20261120093000+0000##ACK*A40*ACK#ACK1#P#2.5.1\rMSA#AA#M1\r"


@pytest.mark.parametrize("short", ["^~", "^", "^~\\&#"])
def test_delimiters_that_are_left_out_are_the_usual(short: str) -> None:
    """A longer MSH-2 has the truncation character of version 2.7."""
    raw = adt_a40((TWO, ONE)).replace(b"^~\\&", short.encode(), 1)
    assert keys(raw) == [(P1, P2)]


@pytest.mark.parametrize(
    "header", ["MSH|", "MSH|^^\\&|", "MSHA^~\\&A", "MSH&^~\\&HIS", "MSH|^~\\&xyz|HIS", "MSH|^~\\ |HIS"]
)
def test_unusable_delimiters_are_rejected(header: str) -> None:
    """What cannot be told apart cannot be read."""
    assert refused(header.encode() + b"\r") == ("AR", "MSH-1 and MSH-2 hold no usable delimiters")


@pytest.mark.parametrize("ends", [b"\r\n", b"\n", b"\r\r", b"\r "])
def test_other_ends_of_segments_are_borne(ends: bytes) -> None:
    """Editors and some engines write them."""
    assert keys(b"\n" + adt_a40((TWO, ONE)).replace(b"\r", ends)) == [(P1, P2)]


def test_a_line_feed_within_a_field_ends_no_segment() -> None:
    """Where CR ends segments, LF is text: what follows it is nobody's PID."""
    raw = message(msh("ORU^R01"), pid(ONE), f"NTE|1||see\n{pid(TWO)}")
    assert keys(raw) == [(None, P1)]


@pytest.mark.parametrize("segment", ["FHS|^~\\&|HIS", "BHS|^~\\&|HIS"])
def test_batches_are_rejected(segment: str) -> None:
    """One message a block."""
    assert refused(segment.encode() + b"\r" + adt_a08())[0] == "AR"
    assert "batches are not handled" in refused(segment.encode())[1]
    assert refused(adt_a08() + adt_a08()) == ("AR", "several messages came in one block: send them one by one")


@pytest.mark.parametrize(
    ("raw", "outcome", "why"),
    [
        (b"", "AR", "the message does not begin with MSH"),
        (b"PID|1", "AR", "the message does not begin with MSH"),
        (b"\x00\xff", "AR", "the message does not begin with MSH"),
        (b"MSH|^~\\&|", "AE", "MSH-10 (message control ID) is empty"),
        (message(msh("", control_id="1")), "AE", "MSH-9 (message type) is empty"),
        (message(msh("ADT^A08", control_id="1" * 200)), "AE", "MSH-10 is longer than 199 characters"),
        (message(msh("ADT^A08", version="3.0")), "AR", "MSH-12 is not a version 2"),
        (message(msh("ADT^A08"), "EVN||20261120"), "AE", "there is no PID segment"),
        (
            message(msh("ADT^A08"), "PID"),
            "AE",
            "PID-3 holds no identifier of a patient whose assigning authority is known",
        ),
    ],
)
def test_malformed_messages_are_told_why(raw: bytes, outcome: str, why: str) -> None:
    """The reason names the segment and the field."""
    assert refused(raw) == (outcome, why)


def test_what_is_read_is_bounded() -> None:
    """Neither parsing nor the record grows with what a sender repeats; other segments may be long."""
    assert refused(message(msh("ADT^A08"), pid(ONE) + "|" * 40000))[1].startswith("MSH, EVN, PID and MRG hold more")
    assert refused(message(msh("ADT^A08"), pid(ONE, {5: "山" * 9000}), charset="utf-8"))[1].startswith(
        "PID and MRG say"
    )
    assert keys(message(msh("ORU^R01"), pid(ONE), "OBX|1|ED|||" + "A" * 500_000)) == [(None, P1)]


def test_a_control_id_is_kept_short_and_printable() -> None:
    """Records and logs take it as it is."""
    verdict = judge(message(msh("ADT^A08", control_id="a\x07" * 150)), RULES, NOW)
    assert verdict.meta()["control_id"] == ("a?" * 100)[:199]
