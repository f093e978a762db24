"""Whom a certificate names, and whether that is the peer that was configured. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

_SHORT: Final = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}  # RFC 4514 section 3
_BETWEEN: Final = re.compile(r"(?<!\\)[,+]")
_NEEDS_ESCAPE: Final = re.compile(r"([,+])")
_ESCAPED: Final = r"\\\1"
_NAMES: Final = frozenset({"DNS", "URI", "email"})  # kinds of alternative names that can stand for an application

Attribute = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """The names of a certificate that was verified. `subject` is sorted (attribute, value)."""

    subject: tuple[Attribute, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, certificate: Any) -> Self:
        """Read what `ssl.SSLSocket.getpeercert` returns."""
        pairs = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
        alternative = {value for kind, value in certificate.get("subjectAltName", ()) if kind in _NAMES}
        common = {value for name, value in pairs if name == "commonName"}
        return cls(_sorted((_SHORT.get(name, name), value) for name, value in pairs), frozenset(common | alternative))

    def __str__(self) -> str:
        """Return the subject, as it may be written in a configuration."""
        return ",".join(f"{name}={_NEEDS_ESCAPE.sub(_ESCAPED, value)}" for name, value in self.subject)

    def is_called(self, wanted: str) -> bool:
        """Tell whether it is the certificate that a configuration names.

        Parameters
        ----------
        wanted
            The whole subject in the form of RFC 4514 ("CN=MAMMO1,O=Example Hospital"), in any order; or one name: a
            common name, or an alternative name that is a DNS name, a URI or an e-mail address.
        """
        return parse_subject(wanted) == self.subject if "=" in wanted else wanted in self.names


def parse_subject(text: str) -> tuple[Attribute, ...]:
    r"""Return the attributes of a subject written as in RFC 4514 (`\,` is a comma of a value), sorted.

    Raises
    ------
    ValueError
        If a part is not `NAME=value`.
    """
    pairs = []
    for part in _BETWEEN.split(text):
        name, sign, value = part.strip().partition("=")
        if not (sign and name.strip() and value.strip()):
            raise ValueError("write a subject as CN=MAMMO1,O=Example Hospital, or one name of the certificate")
        pairs.append((name.strip(), re.sub(r"\\(.)", r"\1", value.strip())))
    return _sorted((_SHORT.get(name, name), value) for name, value in pairs)


def _sorted(pairs: Iterable[Attribute]) -> tuple[Attribute, ...]:
    return tuple(sorted((name.upper(), value) for name, value in pairs))
