"""When certificates are valid, read from their files without trusting them (RFC 5280 section 4.1). Pure."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FORMS: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime
_VERSION: Final = 0xA0
_BEFORE_VALIDITY: Final = 3  # serial number, signature algorithm, issuer


def validities(pem: str) -> list[tuple[datetime, datetime]]:
    """Return the first and last moment of each certificate in a PEM text.

    Raises
    ------
    ValueError
        If there is none, or one is damaged.
    """
    found = _PEM.findall(pem)
    if not found:
        raise ValueError("no certificate in PEM form")
    try:
        return [_validity(ssl.PEM_cert_to_DER_cert(one)) for one in found]
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError("a damaged certificate") from error


def _validity(der: bytes) -> tuple[datetime, datetime]:
    _, certificate, _ = _element(der, 0)
    _, at, _ = _element(der, certificate)
    kind, _, end = _element(der, at)
    at = end if kind == _VERSION else at
    for _ in range(_BEFORE_VALIDITY):
        _, _, at = _element(der, at)
    _, at, _ = _element(der, at)
    first, last = _moments(der, at)
    return first, last


def _moments(der: bytes, at: int) -> Iterator[datetime]:
    for _ in range(2):
        kind, start, at = _element(der, at)
        yield datetime.strptime(der[start:at].decode("ascii"), _FORMS[kind]).replace(tzinfo=UTC)


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of an element, and where its value starts and ends."""
    kind, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    return kind, start, start + length
