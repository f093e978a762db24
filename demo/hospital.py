"""The hospital's information system: it finds out that a woman was registered twice, and says so."""

import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from demo.agent_process import DemoError
from demo.pacs_process import LOOPBACK
from demo.patients import DemoPatient

START, END = b"\x0b", b"\x1c\r"  # of an MLLP block
ANSWERS_WITHIN_S: Final = 20.0


def merge(patient: DemoPatient, clinical_database: Path, hl7_port: int) -> None:
    """Join a patient's two Patient IDs in the clinical database, and announce it. Raises DemoError."""
    with sqlite3.connect(clinical_database) as db:
        db.execute(
            "UPDATE clinical_facts SET patient_id = ? WHERE patient_id = ? AND issuer_of_patient_id = ?",
            (patient.who.patient_id, patient.story.retired_id, patient.who.issuer),
        )
    db.close()
    answer = _send(hl7_port, a40(patient, datetime.now(UTC)))
    if "\rMSA|AA|" not in answer:
        raise DemoError(f"the agent did not accept the merge: {answer!r}")


def a40(patient: DemoPatient, at: datetime) -> str:
    """Return the message: the Patient ID in MRG-1 is retired, the one in PID-3 survives (HL7 v2.5.1, 3.3.40)."""
    who, when = patient.who, at.strftime("%Y%m%d%H%M%S+0000")
    segments = (
        f"MSH|^~\\&|HIS|DEMO|SENTINODE|RAD|{when}||ADT^A40^ADT_A39|DEMO{patient.number}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN||{when}",
        f"PID|||{who.patient_id}^^^{who.issuer}^MR||{who.name}||{who.birth_date:%Y%m%d}|F",
        f"MRG|{patient.story.retired_id}^^^{who.issuer}^MR",
    )
    return "".join(f"{segment}\r" for segment in segments)


def _send(port: int, message: str) -> str:
    """Send one message over MLLP and return the answer."""
    got = b""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=ANSWERS_WITHIN_S) as connection:
            connection.sendall(START + message.encode() + END)
            while not got.endswith(END) and (more := connection.recv(65536)):
                got += more
    except OSError as exc:
        raise DemoError(f"the agent does not take HL7 messages ({exc})") from None
    return got.removeprefix(START).removesuffix(END).decode()
