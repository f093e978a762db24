"""Command sets, Implicit VR Little Endian (PS3.7 sections 6.3, 9.3, 10.3, annex E). Pure."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_ELEMENT: Final = struct.Struct("<HHI")  # group, element, length
_US: Final = struct.Struct("<H")
_UL: Final = struct.Struct("<I")
_GROUP_LENGTH: Final = 0x0000
_AFFECTED_SOP_CLASS_UID: Final = 0x0002
_REQUESTED_SOP_CLASS_UID: Final = 0x0003
_COMMAND_FIELD: Final = 0x0100
_MESSAGE_ID: Final = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO: Final = 0x0120
_COMMAND_DATA_SET_TYPE: Final = 0x0800
_STATUS: Final = 0x0900
_AFFECTED_SOP_INSTANCE_UID: Final = 0x1000
_REQUESTED_SOP_INSTANCE_UID: Final = 0x1001
_EVENT_TYPE_ID: Final = 0x1002
_ACTION_TYPE_ID: Final = 0x1008
_NO_DATASET: Final = 0x0101
_IS_RESPONSE: Final = 0x8000
_CANCEL: Final = 0x0FFF


class Operation(IntEnum):
    """The requests that are served; the number is the Command Field (PS3.7 section E.1)."""

    STORE = 0x0001
    ECHO = 0x0030
    EVENT_REPORT = 0x0100


class MalformedCommand(Exception):
    """The bytes are no command set, or one that cannot be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for. UIDs and types are the bytes that came, padding included; None where there is none.

    Parameters
    ----------
    field
        Its Command Field, also one that is no `Operation`.
    message_id
        What the response refers to; None where there is to be no response: to C-CANCEL, and to a response itself.
    has_dataset
        Whether a dataset follows.
    sop_class_uid, sop_instance_uid
        Affected or Requested, whichever there is.
    event_type, action_type
        Event and Action Type ID.
    """

    field: int
    message_id: int | None
    has_dataset: bool
    sop_class_uid: bytes | None
    sop_instance_uid: bytes | None
    event_type: bytes | None = None
    action_type: bytes | None = None

    @property
    def event_type_id(self) -> int | None:
        """The Event Type ID as a number; None if it is none."""
        value = self.event_type or b""
        return int(_US.unpack(value)[0]) if len(value) == _US.size else None


def parse(command: bytes) -> Request:
    """Return what a command set asks for.

    Priority and the fields that say who moves the object change nothing here.

    Raises
    ------
    MalformedCommand
        If a length does not fit, an element is no command element, or a required one is missing.
    """
    elements = _elements(command)
    field = _number(elements, _COMMAND_FIELD)
    is_answered = field != _CANCEL and not field & _IS_RESPONSE
    return Request(
        field,
        _number(elements, _MESSAGE_ID) if is_answered else None,
        _number(elements, _COMMAND_DATA_SET_TYPE) != _NO_DATASET,
        elements.get(_AFFECTED_SOP_CLASS_UID, elements.get(_REQUESTED_SOP_CLASS_UID)),
        elements.get(_AFFECTED_SOP_INSTANCE_UID, elements.get(_REQUESTED_SOP_INSTANCE_UID)),
        elements.get(_EVENT_TYPE_ID),
        elements.get(_ACTION_TYPE_ID),
    )


def encode_response(request: Request, status: int) -> bytes:
    """Return the command set that answers a request. It has no dataset, and repeats UIDs and types as they came.

    Raises
    ------
    ValueError
        If there is to be no response.
    """
    if request.message_id is None:
        raise ValueError("it has no response")
    body = b"".join(
        (
            _bytes(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid),
            _us(_COMMAND_FIELD, request.field | _IS_RESPONSE),
            _us(_MESSAGE_ID_BEING_RESPONDED_TO, request.message_id),
            _us(_COMMAND_DATA_SET_TYPE, _NO_DATASET),
            _us(_STATUS, status),
            _bytes(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid),
            _bytes(_EVENT_TYPE_ID, request.event_type),
            _bytes(_ACTION_TYPE_ID, request.action_type),
        )
    )
    return _ELEMENT.pack(0, _GROUP_LENGTH, _UL.size) + _UL.pack(len(body)) + body


def _elements(command: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(command):
        if len(command) - at < _ELEMENT.size:
            raise MalformedCommand("an element is cut short")
        group, element, length = _ELEMENT.unpack_from(command, at)
        at += _ELEMENT.size
        if group or length > len(command) - at:
            raise MalformedCommand("no command element" if group else "a value is cut short")
        found[element] = command[at : at + length]
        at += length
    return found


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != _US.size:
        raise MalformedCommand("a required element is missing")
    return int(_US.unpack(value)[0])


def _us(element: int, value: int) -> bytes:
    return _ELEMENT.pack(0, element, _US.size) + _US.pack(value)


def _bytes(element: int, value: bytes | None) -> bytes:
    return b"" if value is None else _ELEMENT.pack(0, element, len(value)) + value
