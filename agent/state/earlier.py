"""What came before a version: earlier versions of which something may lie in an archive."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from agent.core.case import Case, CaseState
from agent.core.ports import OutboxStatus
from agent.state.cases import Cases, case_of
from agent.state.tables import cases, outbox

_NOT_OUT: Final = (OutboxStatus.REFUSED, OutboxStatus.SPARE, OutboxStatus.AWAITING_REPORT)
IS_OUT: Final = sa.or_(  # a destination has it, may have it though it never said so, or still may get it
    sa.and_(outbox.c.status.not_in(_NOT_OUT), cases.c.state != CaseState.CLOSED),
    outbox.c.stored_at.is_not(None),
    outbox.c.unanswered > 0,
)


class Earlier(Cases):
    """Earlier versions."""

    def earlier(self, case: Case) -> Sequence[Case]:
        """Versions before this one of which a destination has, or still may get, something; the newest first.

        Those of cases that this one absorbed are among them.
        """
        mine = sa.and_(cases.c.case_uuid == case.case_uuid, cases.c.version < case.version)
        query = (
            sa.select(cases)
            .where(sa.or_(mine, cases.c.absorbed_by == case.case_uuid))
            .where(sa.exists().where(outbox.c.case_id == cases.c.id, IS_OUT))
            .order_by(cases.c.id.desc())
        )
        return [case_of(row) for row in self._db.execute(query)]
