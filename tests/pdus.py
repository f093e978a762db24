"""PDUs as bytes (PS3.8 section 9.3, PS3.7 annex E), written by hand: they share no code with the receiver."""

import struct
from collections.abc import Mapping

STORE_RQ, ECHO_RQ, FIND_RQ, CANCEL_RQ = 0x0001, 0x0030, 0x0020, 0x0FFF
RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")
RELEASE_RP = bytes.fromhex("06 00 00000004 00000000")
ABORT = bytes.fromhex("07 00 00000004 00000000")
SC, VERIFICATION = b"1.2.840.10008.5.1.4.1.1.7\0", b"1.2.840.10008.1.1\0"
COMMITMENT, COMMITMENT_INSTANCE = b"1.2.840.10008.1.20.1", b"1.2.840.10008.1.20.1.1"


def aborted(source: int, reason: int) -> bytes:
    """Return A-ABORT: source 0 is the service's user, 2 its provider."""
    return struct.pack(">BBIBBBB", 7, 0, 4, 0, 0, source, reason)


def pdu(body: bytes, kind: int = 4) -> bytes:
    """Return a PDU; P-DATA-TF unless told otherwise."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def pdv(context_id: int, control: int, value: bytes) -> bytes:
    """Return one presentation data value. Control: 1 command, 2 last."""
    return struct.pack(">IBB", len(value) + 2, context_id, control) + value


def element(number: int, value: bytes | int) -> bytes:
    """Return a command element, implicit VR little endian; a number is a US."""
    data = struct.pack("<H", value) if isinstance(value, int) else value
    return struct.pack("<HHI", 0, number, len(data)) + data


def command(elements: Mapping[int, bytes | int | None]) -> bytes:
    """Return a command set with its group length, without what is None."""
    body = b"".join(element(number, value) for number, value in elements.items() if value is not None)
    return element(0, struct.pack("<I", len(body))) + body


def store_rq(uid: bytes = b"1.2.3\0", message_id: int = 7, **changes: bytes | int | None) -> bytes:
    """Return a C-STORE-RQ (PS3.7 table 9.3-1). `changes`: element numbers as `x0800`."""
    elements: dict[int, bytes | int | None] = {
        0x0002: SC,
        0x0100: STORE_RQ,
        0x0110: message_id,
        0x0700: 0,
        0x0800: 0x0001,
        0x1000: uid,
    }
    return command(elements | {int(name[1:], 16): value for name, value in changes.items()})


def store_rsp(uid: bytes = b"1.2.3\0", message_id: int = 7, status: int = 0, context_id: int = 1) -> bytes:
    """Return the P-DATA-TF of a C-STORE-RSP (PS3.7 table 9.3-2)."""
    answer = command({0x0002: SC, 0x0100: 0x8001, 0x0120: message_id, 0x0800: 0x0101, 0x0900: status, 0x1000: uid})
    return pdu(pdv(context_id, 3, answer))


def echo_rq(message_id: int = 9) -> bytes:
    """Return a C-ECHO-RQ (PS3.7 table 9.3-12)."""
    return command({0x0002: VERIFICATION, 0x0100: ECHO_RQ, 0x0110: message_id, 0x0800: 0x0101})


def echo_rsp(message_id: int = 9, status: int = 0, context_id: int = 3) -> bytes:
    """Return the P-DATA-TF of a C-ECHO-RSP (PS3.7 table 9.3-13)."""
    answer = command({0x0002: VERIFICATION, 0x0100: 0x8030, 0x0120: message_id, 0x0800: 0x0101, 0x0900: status})
    return pdu(pdv(context_id, 3, answer))


def report_rq(message_id: int = 4, **changes: bytes | int | None) -> bytes:
    """Return an N-EVENT-REPORT-RQ of storage commitment (PS3.7 table 10.3-1). `changes`: element numbers as `x0800`."""
    elements: dict[int, bytes | int | None] = {
        0x0002: COMMITMENT,
        0x0100: 0x0100,
        0x0110: message_id,
        0x0800: 0x0001,
        0x1000: COMMITMENT_INSTANCE,
        0x1002: 2,
    }
    return command(elements | {int(name[1:], 16): value for name, value in changes.items()})


def report_rsp(message_id: int = 4, status: int = 0, context_id: int = 5, event_type: int | None = 2) -> bytes:
    """Return the P-DATA-TF of an N-EVENT-REPORT-RSP (PS3.7 table 10.3-2)."""
    elements = {0x0002: COMMITMENT, 0x0100: 0x8100, 0x0120: message_id, 0x0800: 0x0101, 0x0900: status}
    return pdu(pdv(context_id, 3, command(elements | {0x1000: COMMITMENT_INSTANCE, 0x1002: event_type})))


def action_rq(message_id: int = 6) -> bytes:
    """Return an N-ACTION-RQ that asks for storage commitment (PS3.7 table 10.3-7)."""
    return command(
        {
            0x0003: COMMITMENT,
            0x0100: 0x0130,
            0x0110: message_id,
            0x0800: 0x0001,
            0x1001: COMMITMENT_INSTANCE,
            0x1008: 1,
        }
    )


def action_rsp(message_id: int = 6, status: int = 0x0211, context_id: int = 5) -> bytes:
    """Return the P-DATA-TF of an N-ACTION-RSP (PS3.7 table 10.3-8)."""
    elements = {0x0002: COMMITMENT, 0x0100: 0x8130, 0x0120: message_id, 0x0800: 0x0101, 0x0900: status}
    return pdu(pdv(context_id, 3, command(elements | {0x1000: COMMITMENT_INSTANCE, 0x1008: 1})))
