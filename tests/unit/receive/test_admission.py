"""Who may associate, as a pure decision."""

from dataclasses import replace

import pytest

from agent.receive.admission import Permit, Refusal, admit
from agent.receive.certificate import CertificateNames
from agent.receive.settings import ALL_SERVICES, Peer, ReceiverSettings

OTHER = CertificateNames((), frozenset({"other"}))
SETTINGS = ReceiverSettings(
    "SENTINODE",
    "127.0.0.1",
    0,
    (
        Peer("PACS", "10.0.0.5", frozenset({"store"})),
        Peer("PACS", "10.0.0.0/24", frozenset({"echo"})),
        Peer("V6", "2001:db8::/32", frozenset({"store"})),
    ),
)


@pytest.mark.parametrize(
    ("calling", "address", "expected"),
    [
        ("PACS", "10.0.0.5", frozenset({"store", "echo"})),
        (" PACS ", "10.0.0.6", frozenset({"echo"})),
        ("PACS", "::ffff:10.0.0.6", frozenset({"echo"})),
        ("PACS", "10.0.1.5", Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ("pacs", "10.0.0.5", Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ("", "10.0.0.5", Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED),
        ("V6", "2001:db8::1", frozenset({"store"})),
        ("V6", "10.0.0.5", Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED),
    ],
)
def test_title_and_address_decide_together(calling: str, address: str, expected: object) -> None:
    """All entries that fit add up; none that fits is a refusal."""
    verdict = admit(SETTINGS, called="SENTINODE ", calling=calling, address=address)
    assert (verdict.may if isinstance(verdict, Permit) else verdict) == expected


def test_a_peer_has_one_quota_wherever_it_calls_from() -> None:
    """Or a network would have as many as it has addresses, and no other peer a place."""
    accounts = set()
    for address in ("10.0.0.5", "10.0.0.6", "10.0.0.7"):
        verdict = admit(SETTINGS, called="SENTINODE", calling="PACS", address=address)
        assert isinstance(verdict, Permit)
        accounts.add(verdict.account)
    assert len(accounts) == 1


def test_the_called_title_is_checked_first() -> None:
    """Also where anyone may call."""
    for settings in (SETTINGS, replace(SETTINGS, accept_from="any")):
        verdict = admit(settings, called="OTHER", calling="NOBODY", address="192.0.2.1")
        assert verdict is Refusal.CALLED_AE_TITLE_NOT_RECOGNIZED


@pytest.mark.parametrize(("calling", "address"), [("NEW", "10.0.0.6"), ("PACS", "192.0.2.1")])
@pytest.mark.parametrize("certificate", [None, OTHER])
def test_anyone_may_do_everything_where_anyone_may_call(
    calling: str, address: str, certificate: CertificateNames | None
) -> None:
    """A title that is not listed, and one that is listed elsewhere."""
    settings = replace(SETTINGS, accept_from="any")
    verdict = admit(settings, called="SENTINODE", calling=calling, address=address, certificate=certificate)
    assert verdict == Permit(ALL_SERVICES, None, ("", address))


@pytest.mark.parametrize("certificate", [None, OTHER])
def test_a_listed_peer_keeps_its_limits_where_anyone_may_call(certificate: CertificateNames | None) -> None:
    """Its services, its SOP classes and its own quota; a certificate that it was not given does not lift them."""
    narrow = Peer("US1", "10.0.0.0/24", frozenset({"store"}), sop_classes=frozenset({"1.2"}))
    settings = replace(SETTINGS, accept_from="any", peers=(narrow,))
    verdict = admit(settings, called="SENTINODE", calling="US1", address="10.0.0.6", certificate=certificate)
    assert verdict == Permit(frozenset({"store"}), frozenset({"1.2"}), ("US1", ""))


@pytest.mark.parametrize(("address", "certificate"), [("10.0.0.5", None), ("10.0.0.5", OTHER), ("192.0.2.1", OTHER)])
def test_a_title_that_is_bound_to_a_certificate_stays_bound_where_anyone_may_call(
    address: str, certificate: CertificateNames | None
) -> None:
    """From anywhere, with none or another's; with its own it may do what its entry says."""
    settings = replace(SETTINGS, accept_from="any", peers=(Peer("US1", "10.0.0.5", frozenset({"echo"}), "us1"),))
    refused = admit(settings, called="SENTINODE", calling="US1", address=address, certificate=certificate)
    assert refused is Refusal.CALLING_AE_TITLE_NOT_RECOGNIZED
    own = CertificateNames((), frozenset({"us1"}))
    verdict = admit(settings, called="SENTINODE", calling="US1", address="10.0.0.5", certificate=own)
    assert verdict == Permit(frozenset({"echo"}), None, ("US1", ""))
