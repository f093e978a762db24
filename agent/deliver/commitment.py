"""What a storage commitment report does to the outbox."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog

from agent.core.dimse_status import FAILURE_REASON, Uncommitted, row_of, spell
from agent.core.errors import Rejected
from agent.core.ports import OutboxStatus, Record, Settled, Unit
from agent.deliver.verdict import NOT_OFFERED, conclude
from agent.dicom.commitment import read_commitment

_STATUS: Final[Mapping[Uncommitted, OutboxStatus]] = {
    Uncommitted.SEND_AGAIN: OutboxStatus.WAITING,
    Uncommitted.ASK_AGAIN: OutboxStatus.SENT,
    Uncommitted.NOT_OFFERED: OutboxStatus.REFUSED,
    Uncommitted.REFUSED: OutboxStatus.REFUSED,
}

_log = structlog.get_logger()


def apply_event_report(unit: Unit, record: Record) -> None:
    """Apply one EVENT_REPORT record: committed objects are confirmed, failed ones sent again.

    A report that cannot be read, or of a transaction that is not ours, changes nothing.
    """
    apply_report(unit, bytes(record.payload), record.meta.get("transfer_syntax_uid", ""), record.received_at)


def apply_report(unit: Unit, payload: bytes, transfer_syntax_uid: str, at: datetime) -> None:
    """Apply the event information of a report, by whichever association it came, as `apply_event_report` does."""
    try:
        report = read_commitment(payload, transfer_syntax_uid)
    except Rejected as exc:
        _log.warning("event_report_not_used", reason=str(exc))
        return
    failed = {uid: _settled(reason) for uid, reason in report.failed.items()}
    cases = unit.committed(report.transaction_uid, report.done, failed, at)
    for case_id in cases:
        for item in unit.outbox_of(case_id):
            if item.status is OutboxStatus.REFUSED and item.error == NOT_OFFERED:
                unit.use_spare(item, at)
        conclude(unit, case_id, at)
    _log.info("event_report_applied", transaction_uid=report.transaction_uid, count=len(cases), failed=len(failed))


def _settled(reason: int | None) -> Settled:
    """Say what becomes of an object for a Failure Reason; one without a reason is sent again."""
    then = Uncommitted.SEND_AGAIN if reason is None else row_of(FAILURE_REASON, reason).then
    words = "no reason given" if reason is None else spell(FAILURE_REASON, reason)
    error = NOT_OFFERED if then is Uncommitted.NOT_OFFERED else f"the destination did not commit to keep it: {words}"
    return Settled(_STATUS[then], error)
