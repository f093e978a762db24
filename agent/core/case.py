"""The whole life of a case in one table: one question about one episode of one patient."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from agent.core.errors import SentinodeError
from agent.core.patient import PatientKey


class CaseState(StrEnum):
    """Where a case stands."""

    COLLECTING = "collecting"  # images and facts are still coming
    DORMANT = "dormant"  # no confirmed cancer: nothing is sent, the EHR is asked again
    READY = "ready"  # complete, waits for a worker
    RUNNING = "running"  # leased by a worker
    DELIVERING = "delivering"  # the result is saved, its objects are on their way
    DONE = "done"  # every object is confirmed
    FAILED = "failed"  # given up, with the reason
    HELD = "held"  # an identity conflict: a person must decide
    CLOSED = "closed"  # merged away, withdrawn or expired


class CaseEvent(StrEnum):
    """What can happen to a case."""

    INSTANCE_STORED = "instance_stored"
    FACTS_CHANGED = "facts_changed"
    COMPLETE = "complete"
    NOT_ASKED = "not_asked"
    EXPIRED = "expired"
    CLAIMED = "claimed"
    LEASE_EXPIRED = "lease_expired"
    RELEASED = "released"
    RETRY_DUE = "retry_due"
    RESULT_SAVED = "result_saved"
    GAVE_UP = "gave_up"
    ALL_CONFIRMED = "all_confirmed"
    RERUN = "rerun"
    RESEND = "resend"
    CONFLICT_FOUND = "conflict_found"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


_S, _E = CaseState, CaseEvent

TRANSITIONS: Final[dict[tuple[CaseState, CaseEvent], CaseState]] = (
    {
        (_S.COLLECTING, _E.INSTANCE_STORED): _S.COLLECTING,
        (_S.COLLECTING, _E.FACTS_CHANGED): _S.COLLECTING,
        (_S.COLLECTING, _E.COMPLETE): _S.READY,
        (_S.COLLECTING, _E.NOT_ASKED): _S.DORMANT,
        (_S.DORMANT, _E.INSTANCE_STORED): _S.COLLECTING,
        (_S.DORMANT, _E.FACTS_CHANGED): _S.COLLECTING,
        (_S.DORMANT, _E.EXPIRED): _S.CLOSED,
        (_S.READY, _E.INSTANCE_STORED): _S.COLLECTING,
        (_S.READY, _E.FACTS_CHANGED): _S.COLLECTING,
        (_S.READY, _E.CLAIMED): _S.RUNNING,
        (_S.RUNNING, _E.LEASE_EXPIRED): _S.READY,
        (_S.RUNNING, _E.RELEASED): _S.READY,
        (_S.RUNNING, _E.RETRY_DUE): _S.READY,
        (_S.RUNNING, _E.RESULT_SAVED): _S.DELIVERING,
        (_S.RUNNING, _E.GAVE_UP): _S.FAILED,
        (_S.DELIVERING, _E.ALL_CONFIRMED): _S.DONE,
        (_S.DELIVERING, _E.GAVE_UP): _S.FAILED,
        (_S.FAILED, _E.ALL_CONFIRMED): _S.DONE,  # the proof came after it was given up
        (_S.FAILED, _E.RERUN): _S.READY,
        (_S.FAILED, _E.RESEND): _S.DELIVERING,
        (_S.HELD, _E.INSTANCE_STORED): _S.HELD,
        (_S.HELD, _E.FACTS_CHANGED): _S.HELD,
        (_S.HELD, _E.RESOLVED): _S.COLLECTING,
        (_S.DONE, _E.RESEND): _S.DELIVERING,
    }
    | {(s, _E.CONFLICT_FOUND): _S.HELD for s in (_S.COLLECTING, _S.DORMANT, _S.READY, _S.RUNNING, _S.DELIVERING)}
    | {
        (s, _E.WITHDRAWN): _S.CLOSED
        for s in (_S.COLLECTING, _S.DORMANT, _S.READY, _S.RUNNING, _S.DELIVERING, _S.HELD, _S.FAILED)
    }
)

ANSWERED: Final = frozenset({_S.RUNNING, _S.DELIVERING, _S.DONE, _S.FAILED})
"""States whose version is fixed: whatever arrives now opens the next version."""

UNCHANGED: Final = "nothing that arrived changes the answer"
"""Why a version was withdrawn that would have said the same again: the next arrival opens the one after it."""


class IllegalTransition(SentinodeError):
    """The table has no row for this state and event."""


def advance(state: CaseState, event: CaseEvent) -> CaseState:
    """Return the state that follows.

    Raises
    ------
    IllegalTransition
        If `event` cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"{event} cannot happen to a case that is {state}") from None


@dataclass(frozen=True, slots=True)
class Case:
    """One version of a case. `id` names this version; `case_uuid` is shared by all versions."""

    id: int
    case_uuid: UUID
    version: int
    question: str
    patient: PatientKey
    state: CaseState
    attempt: int  # counts claims; a worker may only write what its own attempt earned
    opened_at: datetime
    changed_at: datetime  # last time an instance or a fact came in
    due_at: datetime | None = None  # when it is looked at again
    ready_at: datetime | None = None  # when it was proven complete
    reason: str = ""
    revision: int = 0  # counts what else is news of it: that it was woken, or is held for something else
