"""Reading N-EVENT-REPORTs of storage commitment, and naming requests."""

import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from agent.core.errors import Rejected
from agent.dicom.commitment import read_commitment, transaction_uid

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def reference(uid: str, reason: int | None = None) -> Dataset:
    """Return one item of a commitment sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", uid
    if reason is not None:
        item.FailureReason = reason
    return item


def encoded(transaction: str, done: list[str], failed: list[str], syntax: str = EXPLICIT) -> bytes:
    """Return an encoded report."""
    ds = Dataset()
    ds.TransactionUID = transaction
    if done:
        ds.ReferencedSOPSequence = [reference(u) for u in done]
    if failed:
        ds.FailedSOPSequence = [reference(u, 0x0112) for u in failed]
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = UID(syntax).is_implicit_VR, UID(syntax).is_little_endian
    write_dataset(buffer, ds)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
def test_report_is_read_in_every_encoding(syntax: str) -> None:
    """Transaction, committed and failed instances come out whatever the transfer syntax."""
    report = read_commitment(encoded("2.25.1", ["1.2.3", "1.2.4"], ["1.2.5"], syntax), syntax)
    assert report == ("2.25.1", ("1.2.3", "1.2.4"), {"1.2.5": 0x0112})


def test_deflated_report_is_read() -> None:
    """A deflated dataset is inflated first."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    payload = deflater.compress(encoded("2.25.1", ["1.2.3"], [])) + deflater.flush()
    assert read_commitment(payload, DEFLATED).done == ("1.2.3",)


def test_report_without_sequences_names_nothing() -> None:
    """Both sequences may be absent."""
    assert read_commitment(encoded("2.25.1", [], []), EXPLICIT) == ("2.25.1", (), {})


def test_instance_under_both_is_failed() -> None:
    """What a report says of it contradicts itself, and proves nothing."""
    report = read_commitment(encoded("2.25.1", ["1.2.3", "1.2.4"], ["1.2.4"]), EXPLICIT)
    assert report == ("2.25.1", ("1.2.3",), {"1.2.4": 0x0112})


def test_failure_may_have_no_reason() -> None:
    """It is a failure all the same."""
    ds = Dataset()
    ds.TransactionUID = "2.25.1"
    ds.FailedSOPSequence = [reference("1.2.5")]
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, ds)
    assert read_commitment(buffer.getvalue(), EXPLICIT).failed == {"1.2.5": None}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x08\x00",
        encoded("", [], []),
        encoded("2.25.1", ["1.2"], [])[:-12],
        encoded("2.25.1", ["1.2.3"], []).replace(b"1.2.3", b"1.x.3"),
    ],
)
def test_damaged_report_is_rejected(payload: bytes) -> None:
    """Nothing, no transaction, half a report or half a UID is no report."""
    with pytest.raises(Rejected, match="storage commitment report"):
        read_commitment(payload, EXPLICIT)


@given(st.binary(max_size=200), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED, "", "1.2.3"]))
def test_any_bytes_are_read_or_rejected(payload: bytes, syntax: str) -> None:
    """No input raises anything but Rejected."""
    try:
        report = read_commitment(payload, syntax)
    except Rejected:
        return
    assert report.transaction_uid


@given(st.data())
def test_one_changed_byte_is_read_or_rejected(data: st.DataObject) -> None:
    """A report with one byte changed raises nothing but Rejected."""
    payload = bytearray(encoded("2.25.1", ["1.2.3"], ["1.2.4"]))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        report = read_commitment(bytes(payload), EXPLICIT)
    except Rejected:
        return
    assert report.transaction_uid


def test_transaction_uids_differ_by_what_was_asked_when() -> None:
    """Another destination, case, time or installation gives another UID; the same gives the same."""
    here, there = UUID(int=1), UUID(int=2)
    uids = {
        transaction_uid(here, "pacs", 1, NOW),
        transaction_uid(here, "vna", 1, NOW),
        transaction_uid(here, "pacs", 2, NOW),
        transaction_uid(here, "pacs", 1, NOW + timedelta(seconds=1)),
        transaction_uid(there, "pacs", 1, NOW),
    }
    assert len(uids) == 5
    assert all(u.startswith("2.25.") and len(u) <= 64 for u in uids)
    assert transaction_uid(here, "pacs", 1, NOW) in uids
