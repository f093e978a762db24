"""Who may associate, as a pure decision."""

from dataclasses import replace

import pytest

from agent.receive.admission import Permit, Refusal, admit
from agent.receive.settings import ALL_SERVICES, Peer, ReceiverSettings

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


def test_anyone_may_do_everything_where_anyone_may_call() -> None:
    """The list of peers does not count then."""
    settings = replace(SETTINGS, accept_from="any")
    verdict = admit(settings, called="SENTINODE", calling="PACS", address="10.0.0.6")
    assert verdict == Permit(ALL_SERVICES, None, ("", "10.0.0.6"))
