"""When a version may be computed again, and what sending it again means."""

from datetime import datetime

import sqlalchemy as sa

from agent.core.ports import OutboxStatus
from agent.state.tables import commitment, outbox, result_object
from agent.state.tally import Tally


def anything_sent(db: sa.Connection, case_id: int) -> bool:
    """Whether something of this version may have reached a destination.

    An attempt without an answer counts, and one of which only the intention is known: new content never travels under
    a UID that a peer may have seen.
    """
    tried = sa.exists().where(outbox.c.case_id == case_id, outbox.c.tried_at.is_not(None))
    return bool(db.execute(sa.select(tried)).scalar_one())


def queue_again(db: sa.Connection, tally: Tally, case_id: int, at: datetime) -> None:
    """Put every object of a version back, as if it had been queued at `at`; what stands for another is spare again.

    Whatever was asked about it before says nothing of it any more.
    """
    theirs = sa.select(outbox.c.id).where(outbox.c.case_id == case_id)
    unsaid = (commitment.c.outbox_id.in_(theirs), commitment.c.answered_at.is_(None))
    db.execute(sa.update(commitment).where(*unsaid).values(answered_at=at))
    spare = sa.select(result_object.c.id).where(result_object.c.case_id == case_id, result_object.c.instead_of != "")
    fresh = {"attempts": 0, "next_at": at, "queued_at": at, "error": ""}
    for status, chosen in (
        (OutboxStatus.WAITING, outbox.c.result_object_id.not_in(spare)),
        (OutboxStatus.SPARE, outbox.c.result_object_id.in_(spare)),
    ):
        which = sa.and_(outbox.c.case_id == case_id, chosen)
        tally.rewrite_outbox(which, status)
        db.execute(sa.update(outbox).where(which).values(status=status, **fresh))
