"""Whom a certificate names."""

import pytest

from agent.receive import Peer
from agent.receive.certificate import CertificateNames, parse_subject

ECHO = frozenset({"echo"})
SHOWN = CertificateNames.of(
    {
        "subject": ((("countryName", "DE"),), (("organizationName", "A, B"), ("commonName", "mammo 1"))),
        "subjectAltName": (("DNS", "m1.example.org"), ("IP Address", "192.0.2.1"), ("URI", "urn:x:1")),
    }
)


@pytest.mark.parametrize(
    ("wanted", "is_called"),
    [
        (r"CN=mammo 1,O=A\, B,C=DE", True),
        (r"C=DE, O=A\, B + CN=mammo 1", True),
        (r"c=DE,commonName=mammo 1,o=A\, B", True),
        ("CN=mammo 1", False),
        (r"CN=Mammo 1,O=A\, B,C=DE", False),
        (r"CN=mammo 1,O=A\, B,C=DE,OU=X", False),
        ("mammo 1", True),
        ("m1.example.org", True),
        ("urn:x:1", True),
        ("192.0.2.1", False),
        ("DE", False),
        ("mammo", False),
    ],
)
def test_a_certificate_has_a_subject_and_names(wanted: str, is_called: bool) -> None:
    """The whole subject in any order, or one name; a part of a subject, an address or another case is neither."""
    assert SHOWN.is_called(wanted) is is_called


def test_a_certificate_without_names_is_nobodys() -> None:
    """Nor does it match what was left empty."""
    nobody = CertificateNames.of({})
    assert not nobody.is_called("CN=x") and not nobody.is_called("x")


@pytest.mark.parametrize("text", ["CN=", "=x", "CN=a,,O=b", "CN=a,b", "O=A, B,CN=x"])
def test_a_subject_that_cannot_be_meant_is_refused(text: str) -> None:
    """When the settings are made, not when somebody calls."""
    with pytest.raises(ValueError, match="write a subject"):
        parse_subject(text)
    with pytest.raises(ValueError, match="write a subject"):
        Peer("A", "127.0.0.1", ECHO, text)


def test_a_peer_without_subject_shows_its_title() -> None:
    """Over TLS; without TLS it shows nothing, and one with a subject cannot."""
    title, subject = Peer(" mammo 1 ", "127.0.0.1", ECHO), Peer("A", "127.0.0.1", ECHO, "urn:x:1")
    assert title.shows(SHOWN) and title.shows(None)
    assert subject.shows(SHOWN) and not subject.shows(None)
    assert not Peer("A", "127.0.0.1", ECHO).shows(SHOWN)


def test_a_subject_that_is_logged_can_be_configured() -> None:
    """Commas and plus signs of its values are escaped."""
    names = CertificateNames((("CN", "a, b+c"), ("O", "x")), frozenset())
    assert str(names) == r"CN=a\, b\+c,O=x"
    assert names.is_called(str(names))
