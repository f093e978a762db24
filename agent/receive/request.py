"""What the gate reads of an association request, before pynetdicom sees any of it (PS3.8 section 9.3.2). Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agent.receive.lane.framing import HEADER_BYTES, PduType, header

MAX_REQUEST_BYTES: Final = 1 << 20
"""Longest body. 128 presentation contexts with every transfer syntax there is take a fifth of it."""

_FIXED_BYTES: Final = 68  # protocol version, AE titles, reserved
_MOST_CONTEXTS: Final = 128  # odd ids of a byte
_MOST_ITEMS: Final = 256  # those, and what little stands beside them
_MOST_WITHIN: Final = 6144
"""Syntaxes and user items of all contexts together: 128 with 48 each. More would hold up who negotiates next."""

_ITEM_HEAD_BYTES: Final = 4
_PRESENTATION_CONTEXT: Final = 0x20
_USER_INFORMATION: Final = 0x50
_ABSTRACT_SYNTAX: Final = 0x30
_CONTEXT_HEAD_BYTES: Final = 4


class MalformedRequest(Exception):
    """It is no association request, or one whose lengths do not fit."""


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """Who calls whom, and for what. AE titles are without the spaces around them."""

    called: str
    calling: str
    abstract_syntaxes: frozenset[str]


def body_length(beginning: bytes | bytearray) -> int:
    """Return the length of the request's body.

    Parameters
    ----------
    beginning
        The first six bytes of a connection.

    Raises
    ------
    MalformedRequest
        If something else begins, or it is longer or shorter than a request may be.
    """
    kind, length = header(memoryview(beginning))
    if kind != PduType.A_ASSOCIATE_RQ:
        raise MalformedRequest("no association request")
    if length > MAX_REQUEST_BYTES:
        raise MalformedRequest("longer than a request may be")
    if length < _FIXED_BYTES:
        raise MalformedRequest("shorter than a request can be")
    return length


def parse_request(pdu: bytes | bytearray) -> AssociationRequest:
    """Read a whole A-ASSOCIATE-RQ PDU.

    Raises
    ------
    MalformedRequest
        If an item is longer than what it stands in, or there are more than any request has.
    """
    body = memoryview(pdu)[HEADER_BYTES:]
    items = _most(body[_FIXED_BYTES:], _MOST_ITEMS)
    contexts = [value[_CONTEXT_HEAD_BYTES:] for kind, value in items if kind == _PRESENTATION_CONTEXT]
    if len(contexts) > _MOST_CONTEXTS:
        raise MalformedRequest("more presentation contexts than there are ids")
    left = _MOST_WITHIN
    for about_users in (value for kind, value in items if kind == _USER_INFORMATION):
        left -= len(_most(about_users, left))
    proposed = set()
    for context in contexts:
        within = _most(context, left)
        left -= len(within)
        proposed.add(_abstract_syntax(within))
    return AssociationRequest(_text(body[4:20]), _text(body[20:36]), frozenset(proposed))


def _abstract_syntax(items: list[tuple[int, memoryview]]) -> str:
    for kind, value in items:
        if kind == _ABSTRACT_SYNTAX:
            return _text(value)
    raise MalformedRequest("a presentation context without abstract syntax")


def _most(data: memoryview, most: int) -> list[tuple[int, memoryview]]:
    """Return the items; no more are looked at than there may be."""
    found = list(islice(_items(data), most + 1))
    if len(found) > most:
        raise MalformedRequest("more items than a request has")
    return found


def _items(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(data):
        if at + _ITEM_HEAD_BYTES > len(data):
            raise MalformedRequest("an item that ends in its head")
        kind, length = struct.unpack_from(">BxH", data, at)
        at += _ITEM_HEAD_BYTES + length
        if at > len(data):
            raise MalformedRequest("an item longer than the rest")
        yield kind, data[at - length : at]


def _text(value: memoryview) -> str:
    """Return a title or UID. Latin-1 gives every byte a character, so two that differ stay different."""
    return bytes(value).decode("latin-1").strip(" \0")
