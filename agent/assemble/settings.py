"""How cases wait: for how long, for what, and which questions are asked."""

from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo

from agent.assemble.inquire import NOTHING, Asking
from agent.assemble.judging import QuestionScope
from agent.core.evidence import Patience


@dataclass(frozen=True)
class AssembleSettings:
    """How long to wait for what, and what is asked here."""

    patience: Patience
    episode: timedelta
    refresh: timedelta  # how often the clinical database is asked again
    zone: tzinfo = UTC  # of the hospital's days
    scopes: tuple[QuestionScope, ...] = ()
    asking: Asking = NOTHING  # of the PACS
