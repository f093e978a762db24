"""What a storage commitment report does to the outbox."""

import structlog

from agent.core.errors import Rejected
from agent.core.ports import Record, Unit
from agent.deliver.verdict import conclude
from agent.dicom.commitment import read_commitment

_log = structlog.get_logger()


def apply_event_report(unit: Unit, record: Record) -> None:
    """Apply one EVENT_REPORT record: committed objects are confirmed, failed ones sent again.

    A report that cannot be read, or of a transaction that is not ours, changes nothing.
    """
    try:
        report = read_commitment(record.payload, record.meta.get("transfer_syntax_uid", ""))
    except Rejected as exc:
        _log.warning("event_report_not_used", reason=str(exc), sequence=record.sequence)
        return
    cases = unit.committed(report.transaction_uid, report.done, report.failed, record.received_at)
    for case_id in cases:
        conclude(unit, case_id, record.received_at)
    _log.info("event_report_applied", transaction_uid=report.transaction_uid, count=len(cases))
