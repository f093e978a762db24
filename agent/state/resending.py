"""When a version may be computed again, and what sending it again means."""

from datetime import datetime

import sqlalchemy as sa

from agent.core.ports import OutboxStatus
from agent.state.tables import outbox


def anything_sent(db: sa.Connection, case_id: int) -> bool:
    """Whether something of this version may have reached a destination.

    An attempt without an answer counts, and one of which only the intention is known: new content never travels under
    a UID that a peer may have seen.
    """
    tried = sa.exists().where(outbox.c.case_id == case_id, outbox.c.tried_at.is_not(None))
    return bool(db.execute(sa.select(tried)).scalar_one())


def queue_again(db: sa.Connection, case_id: int, at: datetime) -> None:
    """Put every object of a version back, as if it had been queued at `at`."""
    fresh = {"status": OutboxStatus.WAITING, "attempts": 0, "next_at": at, "queued_at": at, "error": ""}
    db.execute(sa.update(outbox).where(outbox.c.case_id == case_id).values(**fresh))
