"""Storage commitment: naming a request, and reading its report."""

import re
import struct
import warnings
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from agent.core.errors import Rejected
from agent.dicom.structure import outline

_UID: Final = re.compile(r"[0-9.]{1,64}")
_UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)  # what pydicom lets through on damaged input


class CommitmentReport(NamedTuple):
    """What an N-EVENT-REPORT of storage commitment says; instances by SOP Instance UID, the failed with their reason.

    One that stands under both is failed: a report that contradicts itself proves nothing.
    """

    transaction_uid: str
    done: tuple[str, ...]
    failed: Mapping[str, int | None]  # Failure Reason (0008,1197), None where there is none


def transaction_uid(installation: UUID, destination: str, case_id: int, at: datetime) -> str:
    """Mint the Transaction UID of one request: UUIDv5 in 2.25 form, another one each time that it is asked."""
    return f"2.25.{uuid5(installation, f'storage commitment {destination} {case_id} {at.isoformat()}').int}"


def read_commitment(payload: bytes, transfer_syntax_uid: str) -> CommitmentReport:
    """Decode the event information of a storage commitment report (PS3.4 J.3.3.1).

    Raises
    ------
    Rejected
        If it cannot be decoded, or the Transaction UID or another UID is missing or malformed.
    """
    syntax = UID(transfer_syntax_uid)
    try:
        encoded = outline(payload, transfer_syntax_uid).data  # whole, not too deep, and inflated
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes values; those that matter are checked below
            ds = read_dataset(BytesIO(encoded), syntax.is_implicit_VR, syntax.is_little_endian)
            failed = {_uid(item): _reason(item) for item in ds.get("FailedSOPSequence") or ()}
            named = tuple(_uid(item) for item in ds.get("ReferencedSOPSequence") or ())
            report = CommitmentReport(str(ds.TransactionUID), tuple(uid for uid in named if uid not in failed), failed)
    except (*_UNREADABLE, Rejected) as exc:
        raise Rejected(f"storage commitment report cannot be read: {type(exc).__name__}") from exc
    if not all(_UID.fullmatch(uid) for uid in (report.transaction_uid, *report.done, *report.failed)):
        raise Rejected("storage commitment report with a missing or malformed UID")
    return report


def _uid(item: Dataset) -> str:
    return str(item.ReferencedSOPInstanceUID)


def _reason(item: Dataset) -> int | None:
    reason = item.get("FailureReason")
    return reason if isinstance(reason, int) else None
