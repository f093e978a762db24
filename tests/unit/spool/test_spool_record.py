"""The bytes of one record."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import Permanent
from agent.core.ports import RecordKind
from agent.spool import record as rec

KINDS = st.sampled_from(list(RecordKind))
METAS = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
STAMPS = st.builds(rec.Stamp, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), TIMES)


def _decoded(data: bytes, stamp: rec.Stamp) -> tuple[rec.Header, dict[str, str], bytes] | None:
    header = rec.decode_header(data, stamp.generation, stamp.seed)
    if header is None or len(data) < header.record_bytes:
        return None
    body = data[rec.HEADER_BYTES : header.record_bytes]
    meta, rest = body[: header.meta_bytes], body[header.meta_bytes :]
    payload, padding = rest[: header.payload_bytes], rest[header.payload_bytes :]
    if not rec.is_intact(header, meta, payload, padding, stamp.seed):
        return None
    return header, dict(rec.decode_meta(meta)), payload


def _encoded(kind: RecordKind, meta: dict[str, str], chunks: list[bytes], stamp: rec.Stamp) -> bytes:
    return b"".join(rec.encode(kind, rec.encode_meta(meta), chunks, stamp))


@given(KINDS, METAS, st.lists(st.binary(max_size=40), max_size=3), STAMPS)
def test_what_was_encoded_is_decoded(
    kind: RecordKind, meta: dict[str, str], chunks: list[bytes], stamp: rec.Stamp
) -> None:
    """Every field comes back, and the length is a multiple of 8."""
    data = _encoded(kind, meta, chunks, stamp)
    decoded = _decoded(data, stamp)
    assert decoded is not None
    header, got_meta, payload = decoded
    assert (header.kind, header.sequence, header.received_at) == (kind, stamp.sequence, stamp.received_at)
    assert (got_meta, payload) == (meta, b"".join(chunks))
    assert len(data) == header.record_bytes
    assert len(data) % 8 == 0


@given(METAS, st.binary(max_size=60), STAMPS, st.data())
def test_any_truncation_is_detected(
    meta: dict[str, str], payload: bytes, stamp: rec.Stamp, data: st.DataObject
) -> None:
    """No proper beginning of a record decodes, whatever zeros follow it."""
    whole = _encoded(RecordKind.INSTANCE, meta, [payload], stamp)
    kept = data.draw(st.integers(0, len(whole) - 1))
    torn = whole[:kept] + bytes(len(whole) - kept)
    assert _decoded(whole[:kept], stamp) is None
    assert torn == whole or _decoded(torn, stamp) is None


@given(METAS, st.binary(max_size=60), STAMPS, st.data())
def test_any_bit_flip_is_detected(meta: dict[str, str], payload: bytes, stamp: rec.Stamp, data: st.DataObject) -> None:
    """One bit changed anywhere, padding included, and the record no longer decodes."""
    damaged = bytearray(_encoded(RecordKind.INSTANCE, meta, [payload], stamp))
    bit = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    assert _decoded(bytes(damaged), stamp) is None


@given(STAMPS, STAMPS)
def test_a_record_of_another_segment_is_not_taken(stamp: rec.Stamp, other: rec.Stamp) -> None:
    """Another generation or seed makes it stale."""
    data = _encoded(RecordKind.HL7, {}, [b"MSH"], stamp)
    same = (stamp.generation, stamp.seed) == (other.generation, other.seed)
    assert (_decoded(data, other) is not None) == same


def test_a_body_of_another_length_is_not_intact() -> None:
    """Too short or too long, in any part."""
    stamp = rec.Stamp(1, 0, 1, datetime(2026, 1, 1, tzinfo=UTC))
    header = rec.decode_header(_encoded(RecordKind.HL7, {}, [b"MSH"], stamp), 1, 0)
    assert header is not None
    assert rec.is_intact(header, b"{}", b"MSH", b"\0\0\0", 0)
    for meta, payload, padding in ((b"{", b"MSH", b"\0\0\0"), (b"{}", b"MS", b"\0\0\0"), (b"{}", b"MSH", b"\0\0")):
        assert not rec.is_intact(header, meta, payload, padding, 0)


def test_a_meta_too_long_is_refused() -> None:
    """It would not fit its length field."""
    with pytest.raises(Permanent, match="65535"):
        rec.encode_meta({"key": "x" * 70_000})


def test_a_record_of_a_later_release_is_refused() -> None:
    """An intact header of a kind that is not known stops the reader rather than being skipped."""
    stamp = rec.Stamp(1, 0, 1, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=1))
    data = bytearray(_encoded(RecordKind.HL7, {}, [b"MSH"], stamp))
    data[5] = 99
    data[44:48] = rec.crc32c(bytes(data[:44]), stamp.seed).to_bytes(4, "little")
    with pytest.raises(Permanent, match="later release"):
        rec.decode_header(bytes(data), 1, 0)
