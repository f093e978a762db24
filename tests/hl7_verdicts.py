"""What a message comes to, as the tests ask for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agent.core.adt import PatientNews, news_from_json
from agent.core.patient import PatientKey
from agent.receive import Hl7Rules
from agent.receive.hl7_ack import acknowledge
from agent.receive.hl7_verdict import judge
from tests.hl7_sender import message, msh, pid

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RULES = Hl7Rules(issuers={"HOSP": "EXAMPLE", "1.2.3": "LAB"}, site_issuer="SITE", zone=ZoneInfo("Europe/Berlin"))
P1, P2 = PatientKey("EXAMPLE", "P1"), PatientKey("EXAMPLE", "P2")
ONE, TWO = "P1^^^HOSP^MR", "P2^^^HOSP^MR"


def accepted(raw: bytes, rules: Hl7Rules = RULES) -> list[PatientNews]:
    """Return the news of a message that must be accepted."""
    verdict = judge(raw, rules, NOW)
    assert verdict.fault is None, str(verdict.fault)
    assert news_from_json(verdict.meta()["news"]) == verdict.news
    return list(verdict.news)


def refused(raw: bytes, rules: Hl7Rules = RULES) -> tuple[str, str]:
    """Return the outcome and the reason of a message that must not be accepted."""
    verdict = judge(raw, rules, NOW)
    assert verdict.fault is not None
    assert verdict.meta()["news"] == "[]"
    return verdict.outcome.value, str(verdict.fault)


def answer(raw: bytes, rules: Hl7Rules = RULES) -> bytes | None:
    """Return the acknowledgement of a message."""
    return acknowledge(judge(raw, rules, NOW), NOW, "ACK1")


def keys(raw: bytes, rules: Hl7Rules = RULES) -> list[tuple[PatientKey | None, PatientKey]]:
    """Return (retired, patient) of each piece of news."""
    return [(news.retired, news.patient) for news in accepted(raw, rules)]


def name_of(name: str, *, aliases: str = "", charset: str = "", codec: str = "ascii") -> tuple[str, Sequence[str]]:
    """Return the name and the other names that a message with this PID-5 (and PID-9) gives."""
    others = {5: name, 9: aliases} if aliases else {5: name}
    raw = message(msh("ADT^A08", charset=charset), pid(ONE, others), charset=codec)
    (news,) = accepted(raw)
    return news.demographics.name, news.other_names
