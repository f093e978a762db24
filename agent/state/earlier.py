"""What came before a version: earlier versions of which something may lie in an archive."""

from collections.abc import Sequence

import sqlalchemy as sa

from agent.core.case import Case, CaseState
from agent.core.ports import OutboxStatus
from agent.state.cases import Cases, case_of
from agent.state.tables import cases, outbox


class Earlier(Cases):
    """Earlier versions."""

    def earlier(self, case: Case) -> Sequence[Case]:
        """Versions before this one of which a destination has, or still may get, something; the newest first.

        Those of cases that this one absorbed are among them.
        """
        mine = sa.and_(cases.c.case_uuid == case.case_uuid, cases.c.version < case.version)
        acknowledged = sa.or_(
            outbox.c.status.in_([OutboxStatus.SENT, OutboxStatus.CONFIRMED]), outbox.c.stored_at.is_not(None)
        )
        withdrawn_in_time = sa.and_(cases.c.state == CaseState.CLOSED, outbox.c.tried_at.is_(None))
        out = sa.or_(acknowledged, sa.and_(outbox.c.status == OutboxStatus.WAITING, ~withdrawn_in_time))
        query = (
            sa.select(cases)
            .where(sa.or_(mine, cases.c.absorbed_by == case.case_uuid))
            .where(sa.exists().where(outbox.c.case_id == cases.c.id, out))
            .order_by(cases.c.id.desc())
        )
        return [case_of(row) for row in self._db.execute(query)]
