"""Structured logs that cannot hold patient data: only keys known to be harmless are written."""

import hashlib
import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from agent.core.errors import SentinodeError

ALLOWED: Final = frozenset(
    """
    event level timestamp process site logger error where dropped template association_id peer calling_ae_title
    sop_class_uid sop_instance_uid study_instance_uid transfer_syntax_uid status segment offset records bytes count
    case_id case_uuid version attempt state question axilla kind role reason rule end destination transaction_uid
    bundle device provider sequence seconds due_at pid exit_code restarts port bind tick worker revision
    control_id outcome more tls objects needed allowed since by failed case_ids certificate
    """.split()
)
"""What a log line may hold: identifiers that we or devices made, numbers, and texts of our own."""

_JSON: Final = json.JSONEncoder(default=repr)  # `dumps` would make one for each line
_UID: Final = re.compile(r"[0-9.]{1,64}")

QUIET: Final = ("pydicom", "pynetdicom", "highdicom", "PIL", "sqlalchemy", "hl7")
"""Libraries whose messages may quote values of objects."""


def configure(level: str, form: str, process: str) -> None:
    """Send this process's logs to standard error, as one JSON object a line or as text."""
    as_json = structlog.processors.JSONRenderer(lambda event, **_: _JSON.encode(event))
    renderer = as_json if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Process(process),
            _exception_without_values,
            _only_allowed,
            _only_uids,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.__stderr__),
    )
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.basicConfig(level=logging.WARNING, handlers=[_Foreign()], force=True)


class _Process:
    """Adds the process's name: bound once for all its threads."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = self._name
        return event


def describe(error: BaseException) -> str:
    """Say what an error is without quoting what it may hold: our own errors speak, others give their class."""
    return str(error) if isinstance(error, SentinodeError) else type(error).__name__


def _exception_without_values(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["error"] = describe(error)
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        event["where"] = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}:{frame.name}" for frame in frames]
    return event


def _only_allowed(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if not event.keys() <= ALLOWED:
        dropped = sorted(event.keys() - ALLOWED)
        for key in dropped:
            del event[key]
        event["dropped"] = dropped
    return event


def _only_uids(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write a digest for what stands where a UID should and is none: it may be anything (PS3.5 section 9.1)."""
    for key in event:
        if key.endswith("_uid") and not _UID.fullmatch(str(event[key])):
            event[key] = (
                f"no UID, SHA-256 {hashlib.sha256(str(event[key]).encode('utf-8', 'replace')).hexdigest()[:16]}"
            )
    return event


class _Foreign(logging.Handler):
    """Other libraries' records: the template, never its arguments, which may hold values."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning("library", logger=record.name, template=str(record.msg)[:200])
