"""Everything that the state in memory holds."""

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agent.core.case import Case
from agent.core.conflict import Conflict, Decision
from agent.core.identities import Identity, Retirement, Variant
from agent.core.instance import Arrival, SpoolRef
from agent.core.pacs import Retrieval, Search, StudyCount
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, StoredInstance
from agent.core.reads import IndexStudy, Read
from agent.core.result import ResultObject
from agent.core.retention import OwedCopy
from agent.state.move import CaseChange
from tests.fakes.who_store import Link


@dataclass
class Tables:
    """Everything that is known. Values are frozen: copying the collections is a snapshot."""

    cursor: dict[int, SpoolRef] = field(default_factory=dict)
    associations: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)  # opened, closed
    arrivals: dict[SpoolRef, Arrival] = field(default_factory=dict)
    owed: dict[SpoolRef, OwedCopy] = field(default_factory=dict)
    instances: dict[str, StoredInstance] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)
    links: dict[tuple[int, str], Link] = field(default_factory=dict)
    history: dict[int, tuple[CaseChange, ...]] = field(default_factory=dict)
    findings: dict[int, str] = field(default_factory=dict)
    summaries: dict[int, str] = field(default_factory=dict)
    lineages: dict[int, str] = field(default_factory=dict)
    objects: dict[int, tuple[ResultObject, ...]] = field(default_factory=dict)
    outbox: dict[int, OutboxItem] = field(default_factory=dict)
    tried: dict[int, datetime] = field(default_factory=dict)  # outbox item -> when its bytes first may have left
    stored: set[int] = field(default_factory=set)  # outbox items that a destination acknowledged once
    unanswered: Counter[int] = field(default_factory=Counter)  # requests without an answer, by outbox item
    commitments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    answered: set[tuple[str, int]] = field(default_factory=set)  # transaction and outbox item
    counts: dict[tuple[int, str], tuple[StudyCount, datetime]] = field(default_factory=dict)  # and when to ask again
    searches: dict[int, Search] = field(default_factory=dict)
    retrievals: dict[int, Retrieval] = field(default_factory=dict)
    aliases: set[Retirement] = field(default_factory=set)
    told: dict[PatientKey, frozenset[tuple[Any, ...]]] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    studies: dict[tuple[str, PatientKey], str] = field(default_factory=dict)  # study and patient -> why barred
    variants: dict[int, Variant] = field(default_factory=dict)
    reads: set[Read] = field(default_factory=set)
    index_studies: dict[int, IndexStudy] = field(default_factory=dict)
    absorbed: dict[UUID, UUID] = field(default_factory=dict)
    conflicts: dict[int, tuple[Conflict, ...]] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)

    def snapshot(self) -> "Tables":
        """Return a copy that later changes do not touch."""
        return Tables(**{name: copy(table) for name, table in vars(self).items()})
