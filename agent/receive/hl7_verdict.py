"""What becomes of the bytes of one message: accepted with its news, or not, and why. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.core.adt import PatientNews, news_to_json
from agent.core.reads import Read, reads_to_json
from agent.receive.hl7_fault import ErrorCode, Fault, Outcome, erroneous
from agent.receive.hl7_message import MAX_CONTROL_ID, Header, parse, read_header
from agent.receive.hl7_news import news_of
from agent.receive.hl7_reads import reads_of
from agent.receive.hl7_settings import Hl7Rules

MAX_NEWS_BYTES: Final = 49152
"""Most that news and reads may take in a record's meta, which holds 65,535 bytes in all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered and kept. Without a `fault` it is accepted; without a `header` it was no message at all."""

    header: Header | None
    fault: Fault | None = None
    news: tuple[PatientNews, ...] = ()
    reads: tuple[Read, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """AA, AE or AR."""
        return self.fault.outcome if self.fault else Outcome.ACCEPT

    @property
    def control_id(self) -> str:
        """MSH-10, for logs and records: cut to its longest form, and printable."""
        text = self.header.control_id[:MAX_CONTROL_ID] if self.header else ""
        return "".join(c if c.isprintable() else "?" for c in text)

    def meta(self) -> Mapping[str, str]:
        """Return what the record says of the message. Only an accepted one has news and reads."""
        header = self.header
        return {
            "control_id": self.control_id,
            "message_type": "^".join((header.component(9, 1)[:16], header.component(9, 2)[:16])) if header else "",
            "outcome": self.outcome.value,
            "error": str(self.fault or ""),
            "news": news_to_json(self.news),
            "reads": reads_to_json(self.reads),
        }


def judge(raw: bytes, rules: Hl7Rules, received_at: datetime) -> Verdict:
    """Return the verdict on a message that came at `received_at` (UTC). Whatever the bytes, it raises nothing."""
    try:
        header = read_header(raw)
    except Fault as fault:
        return Verdict(None, fault)
    try:
        message = parse(raw, header)
        news = news_of(message, rules, received_at)
        reads = reads_of(message, rules, news[0].sent_at)
        _check_size("PID and MRG", "PID", news_to_json(news))
        _check_size("OBR and ZDS", "OBR", news_to_json(news), reads_to_json(reads))
    except Fault as fault:
        return Verdict(header, fault)
    return Verdict(header, None, news, reads)


def _check_size(what: str, segment: str, *texts: str) -> None:
    """Refuse what would not fit into a record. Raises Fault."""
    if sum(len(json.dumps(text)) for text in texts) > MAX_NEWS_BYTES:
        raise erroneous(ErrorCode.DATA_TYPE, f"{what} say more than one record can hold", segment)
