"""HL7 v2 messages by hand, and a sender of them over MLLP."""

import socket
from collections.abc import Sequence

START, END = b"\x0b", b"\x1c\r"
DEFAULT_PID = {5: "Doe^Jane", 7: "19610203", 8: "F"}


def send(host: str, port: int, message: bytes) -> bytes:
    """Send one message over a connection of its own and return the acknowledgement."""
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(framed(message))
        return receive(connection)


def framed(message: bytes) -> bytes:
    """Return an MLLP block."""
    return START + message + END


def receive(connection: socket.socket) -> bytes:
    """Return the content of the next block, and leave what is behind it. Raises ConnectionError if none comes."""
    got = b""
    while not got.endswith(END):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("closed without an answer")
        got += byte
    assert got.startswith(START)
    return got[len(START) : -len(END)]


def fields(acknowledgement: bytes, segment: str) -> list[str]:
    """Return a segment's fields; of MSH the field separator is none of them."""
    lines = acknowledgement.decode("utf-8").split("\r")
    return next(line.split("|") for line in lines if line.startswith(segment + "|"))


def msh(
    kind: str,
    *,
    control_id: str = "M1",
    sent: str = "20261120093000",
    charset: str = "",
    commit: str = "",
    application: str = "",
    version: str = "2.5.1",
) -> str:
    """Return an MSH: from HIS of HOSP to SENTINODE of RAD."""
    texts = ["MSH", "^~\\&", "HIS", "HOSP", "SENTINODE", "RAD", sent, "", kind, control_id, "P", version]
    return "|".join([*texts, "", "", commit, application, "", charset]).rstrip("|")


def pid(patient_id: str, others: dict[int, str] | None = None) -> str:
    """Return a PID; `patient_id` is the whole of PID-3, `others` its further fields by number."""
    said = {3: patient_id} | (DEFAULT_PID if others is None else others)
    return "|".join(["PID", *(said.get(number, "") for number in range(1, max(said) + 1))])


def message(*segments: str, charset: str = "ascii") -> bytes:
    """Return a message of segments."""
    return "".join(segment + "\r" for segment in segments).encode(charset)


def adt(
    event: str,
    patient_id: str = "P1^^^HOSP^MR",
    *,
    control_id: str = "M1",
    sent: str = "20261120093000",
    occurred: str = "",
    others: dict[int, str] | None = None,
) -> bytes:
    """Return an ADT message of one patient without a merge."""
    evn = "|".join(["EVN", "", sent, "", "", "", occurred]).rstrip("|")
    return message(
        msh(f"ADT^{event}^ADT_A01", control_id=control_id, sent=sent), evn, pid(patient_id, others), "PV1||N"
    )


def adt_a08(patient_id: str = "P1^^^HOSP^MR", *, control_id: str = "M1", sent: str = "20261120093000") -> bytes:
    """Return an update of a person."""
    return adt("A08", patient_id, control_id=control_id, sent=sent)


def adt_a40(*pairs: tuple[str, str], control_id: str = "M1", sent: str = "20261120093000", event: str = "A40") -> bytes:
    """Return a merge; each pair is the surviving PID-3 and the MRG-1 that is retired."""
    segments: Sequence[str] = [part for stays, goes in pairs for part in (pid(stays), f"MRG|{goes}")]
    return message(msh(f"ADT^{event}^ADT_A39", control_id=control_id, sent=sent), f"EVN||{sent}", *segments)
