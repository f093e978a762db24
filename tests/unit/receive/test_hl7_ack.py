"""What is answered, whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.receive.hl7_ack import acknowledge
from agent.receive.hl7_fault import Outcome
from agent.receive.hl7_verdict import Verdict, judge
from tests.hl7_sender import adt, adt_a08, adt_a40, fields, message, msh, pid
from tests.hl7_verdicts import NOW, ONE, RULES, TWO, answer


def test_an_error_names_its_place() -> None:
    """MSA-3, and ERR with ERL, code of table 0357, severity and sentence."""
    reply = answer(adt("A08", ""))
    assert reply is not None
    what = "PID-3 holds no identifier of a patient whose assigning authority is known"
    assert fields(reply, "MSA") == ["MSA", "AE", "M1", what]
    assert fields(reply, "ERR") == [
        "ERR",
        "",
        "PID^1^3",
        "204^unknown key identifier^HL70357",
        "E",
        "",
        "",
        "",
        what,
    ]


def test_a_reason_is_escaped_for_the_senders_delimiters() -> None:
    """Ours are hyphens and commas at most, and a sender may choose them."""
    reply = answer(adt("A08", "").replace(b"|", b"-"))
    assert reply is not None
    assert b"\rMSA-AE-M1-PID\\F\\3 holds no" in reply


@pytest.mark.parametrize(
    ("commit", "application", "good", "bad"),
    [
        ("", "", "AA", "AE"),
        ("AL", "NE", "CA", "CE"),
        ("AL", "AL", "CA", "CE"),
        ("SU", "", "CA", None),
        ("ER", "NE", None, "CE"),
        ("NE", "AL", "AA", "AE"),
        ("", "SU", "AA", None),
        ("NE", "NE", None, None),
    ],
)
def test_the_acknowledgement_is_the_one_that_is_asked_for(
    commit: str, application: str, good: str | None, bad: str | None
) -> None:
    """Enhanced mode by MSH-15 and MSH-16; in original mode always one."""
    for patient_id, code in ((ONE, good), ("", bad)):
        reply = answer(message(msh("ADT^A08", commit=commit, application=application), pid(patient_id)))
        assert (fields(reply, "MSA")[1] if reply else None) == code


def test_a_rejected_message_gets_a_commit_reject() -> None:
    """CR, where a commit acknowledgement is asked for."""
    reply = answer(message(msh("ADT^A24", commit="AL"), pid(ONE)))
    assert reply is not None
    assert fields(reply, "MSA")[1] == "CR"


def test_the_answer_is_in_the_character_set_of_the_message() -> None:
    """A control ID comes back byte for byte."""
    for charset, codec in (("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("", "latin-1")):
        reply = answer(message(msh("ADT^A08", control_id="ü1", charset=charset), pid(ONE), charset=codec))
        assert reply is not None
        assert "\rMSA|AA|ü1\r".encode(codec) in reply
        assert reply.split(b"\r")[0].endswith(charset.encode() if charset else b"2.5.1")


def test_no_message_at_all_is_still_answered() -> None:
    """In the usual delimiters, with nothing to refer to."""
    reply = answer(b"GET / HTTP/1.1")
    assert reply is not None
    assert fields(reply, "MSA") == ["MSA", "AR", "", "the message does not begin with MSH"]


PIECES = st.sampled_from(
    [
        b"MSH|^~\\&|",
        b"|",
        b"^",
        b"~",
        b"&",
        b"\\",
        b"\\X41\\",
        b"\r",
        b"\n",
        b"PID|",
        b"MRG|",
        b"EVN|",
        b"P1^^^HOSP^MR",
        b"ADT^A40",
        b"ADT^A08",
        b"ORU^R01",
        b"20261120093000+0100",
        b"\x1b$B",
        b"\xff\xfe",
        b"|||||||",
        b"ISO IR87",
        b'""',
    ]
)
NOISE = st.lists(PIECES | st.binary(max_size=6), max_size=40).map(
    lambda parts: b"".join(parts).translate(None, b"\x0b\x1c")
)
HEADS = st.sampled_from([b"", adt_a08(), adt_a40((TWO, ONE)), msh("ADT^A08", charset="ASCII~ISO IR87").encode()])


@given(HEADS, NOISE)
def test_whatever_comes_there_is_a_verdict_and_an_answer(head: bytes, noise: bytes) -> None:
    """Nothing is raised; the answer can be read, its MSA-2 is the message's MSH-10, and only AA has news."""
    verdict = judge(head + noise, RULES, NOW)
    assert _is_sound(verdict)
    assert _is_answered(verdict)


@given(st.data(), st.sampled_from([adt_a08(), adt_a40((TWO, ONE), ("P4", "P3"))]))
def test_damaged_messages_get_a_verdict_too(data: st.DataObject, raw: bytes) -> None:
    """Bytes changed, taken out or put in."""
    at = data.draw(st.integers(0, len(raw)))
    cut = data.draw(st.integers(0, 20))
    verdict = judge(raw[:at] + data.draw(NOISE) + raw[at + cut :], RULES, NOW)
    assert _is_sound(verdict)
    assert _is_answered(verdict)


def _is_sound(verdict: Verdict) -> bool:
    assert (verdict.outcome is Outcome.ACCEPT) == (verdict.fault is None)
    assert verdict.fault is None or not verdict.news
    return all(news.patient.patient_id and news.patient != news.retired for news in verdict.news)


def _is_answered(verdict: Verdict) -> bool:
    """Whether there is a reply that can be read; none only where the sender set when it wants one."""
    reply = acknowledge(verdict, NOW, "ACK1")
    header = verdict.header
    if reply is None:
        return header is not None and bool(header.field(15) + header.field(16))
    lines = reply.decode(header.codec if header else "ascii").split("\r")
    field = lines[0][3]
    assert [line[:3] for line in lines] == ["MSH", "MSA", *(["ERR"] if verdict.fault else []), ""]
    answered = lines[1].split(field)
    assert answered[1][1] == verdict.outcome.value[1]
    assert answered[2] == (header.control_id if header else "")
    return not {"\x0b", "\x1c"} & set(reply.decode("latin-1"))
