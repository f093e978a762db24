"""PDUs and the presentation data values in them (PS3.8 sections 9.3.1, 9.3.5 and annex E). Pure."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

HEADER_BYTES: Final = 6  # type, reserved, length
_ITEM_HEADER_BYTES: Final = 6  # length, presentation context id, message control header
_COUNTED_BYTES: Final = 2  # the length counts context id and message control header
_PDU: Final = struct.Struct(">BxI")
_ITEM: Final = struct.Struct(">IBB")
_ABORT: Final = struct.Struct(">xxBB")
_BY_USER: Final = 0
_BY_PROVIDER: Final = 2
_IS_COMMAND: Final = 0x01
_IS_LAST: Final = 0x02
_MOST_FRAGMENTS: Final = 256  # of one PDU; senders put one or two into it


class PduType(IntEnum):
    """Types of PDU: PS3.8 section 9.3.1."""

    A_ASSOCIATE_RQ = 1
    A_ASSOCIATE_AC = 2
    A_ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    A_RELEASE_RQ = 5
    A_RELEASE_RP = 6
    A_ABORT = 7


class AbortReason(IntEnum):
    """Why a service provider aborts: PS3.8 section 9.3.8, Reason/Diag."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PDU_PARAMETER_VALUE = 6


class InvalidPdu(Exception):
    """What came is no PDU that may come now."""

    def __init__(self, reason: AbortReason, why: str = "") -> None:
        super().__init__(why or reason.name.lower())
        self.reason = reason


class Fragment(NamedTuple):
    """One presentation data value: a fragment of a message's command or dataset."""

    context_id: int
    is_command: bool
    is_last: bool
    value: memoryview


def header(data: memoryview) -> tuple[int, int]:
    """Return type and length of the PDU that begins with these 6 bytes."""
    kind, length = _PDU.unpack_from(data)
    return kind, length


def fragments(body: memoryview) -> Iterator[Fragment]:
    """Yield the fragments in the body of a P-DATA-TF PDU, as views of it.

    Raises
    ------
    InvalidPdu
        If there is none, a length does not fit, or there are more than any sender has a use for.
    """
    at, size = 0, len(body)
    if not size:
        raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE)
    for _ in range(_MOST_FRAGMENTS):
        if size - at < _ITEM_HEADER_BYTES:
            raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE)
        length, context_id, control = _ITEM.unpack_from(body, at)
        end = at + _ITEM_HEADER_BYTES - _COUNTED_BYTES + length
        if length < _COUNTED_BYTES or end > size:
            raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE)
        value = body[at + _ITEM_HEADER_BYTES : end]
        yield Fragment(context_id, bool(control & _IS_COMMAND), bool(control & _IS_LAST), value)
        at = end
        if at == size:
            return
    raise InvalidPdu(AbortReason.INVALID_PDU_PARAMETER_VALUE, "more fragments in a PDU than allowed")


def encode_abort(reason: AbortReason | None = None) -> bytes:
    """Return an A-ABORT PDU of the service's provider, with its reason; None: of its user (PS3.8 section 9.3.8)."""
    source, why = (_BY_USER, 0) if reason is None else (_BY_PROVIDER, reason)
    return _PDU.pack(PduType.A_ABORT, _ABORT.size) + _ABORT.pack(source, why)


def encode_command(context_id: int, command: bytes, max_pdu_bytes: int) -> bytes:
    """Return the P-DATA-TF PDUs of a command set without dataset.

    Parameters
    ----------
    context_id
        Presentation context.
    command
        The encoded command set.
    max_pdu_bytes
        Longest body that the receiver takes (PS3.8 section D.1); 0 is no limit. One byte a fragment is the least.
    """
    size = max(max_pdu_bytes - _ITEM_HEADER_BYTES, 1) if max_pdu_bytes else len(command)
    if len(command) <= size:
        return _command_pdu(context_id, _IS_COMMAND | _IS_LAST, command)
    last = (len(command) - 1) // size * size
    return b"".join(
        _command_pdu(context_id, _IS_COMMAND | (_IS_LAST if at == last else 0), command[at : at + size])
        for at in range(0, len(command), size)
    )


def _command_pdu(context_id: int, control: int, fragment: bytes) -> bytes:
    length = len(fragment) + _COUNTED_BYTES
    item = _ITEM.pack(length, context_id, control)
    return _PDU.pack(PduType.P_DATA_TF, len(item) + len(fragment)) + item + fragment
