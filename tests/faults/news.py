"""HL7 messages to an agent which is being killed: said again and again until they are accepted."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.core.patient import PatientKey
from tests.faults.evidence import Message
from tests.faults.senders import TRY_AGAIN_S, Ledger
from tests.hl7_sender import adt, fields, message, msh, pid, send

PERSON = {5: "Demo^Synthetic", 7: "19700101", 8: "F"}  # as the images say
ACCEPTED = "AA"


@dataclass(frozen=True, slots=True)
class News:
    """A message, and what is known of it once it is accepted."""

    encoded: bytes
    about: Message


def update(patient: PatientKey, event: str, control_id: str) -> News:
    """Return a message that says of a patient what the images say."""
    encoded = adt(event, _cx(patient), control_id=control_id, sent=_now(), others=PERSON)
    return News(encoded, Message(control_id))


def merge(retired: PatientKey, surviving: PatientKey, control_id: str) -> News:
    """Return a message that one patient's key is another's now (A40)."""
    header = msh("ADT^A40^ADT_A39", control_id=control_id, sent=_now())
    encoded = message(header, f"EVN||{_now()}", pid(_cx(surviving), PERSON), f"MRG|{_cx(retired)}")
    return News(encoded, Message(control_id, retired, surviving))


def tell_until_taken(port: int, news: News, ledger: Ledger, stop: threading.Event) -> None:
    """Send until the agent says that it has the message, or `stop` is set. Raises AssertionError if it refuses it."""
    while not stop.is_set():
        if (answer := _answer(port, news)) is not None:
            assert answer == ACCEPTED, answer
            ledger.note_message(news.about)
            return
        stop.wait(TRY_AGAIN_S)


def _answer(port: int, news: News) -> str | None:
    """Return what an agent answered; None where it was killed under our hands."""
    try:
        return fields(send("127.0.0.1", port, news.encoded), "MSA")[1]
    except OSError:
        return None


def updates(patient: PatientKey, number: int) -> Iterator[News]:
    """Yield what a registry says of a patient while she is examined."""
    for event in ("A08", "A31"):
        yield update(patient, event, f"{event}-{number}")


def _cx(patient: PatientKey) -> str:
    return f"{patient.patient_id}^^^{patient.issuer}^MR"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
