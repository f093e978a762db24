"""Objects too long to be held in memory: read from a view of the file that they lie in."""

import mmap
import tracemalloc
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from agent.core.errors import Rejected
from agent.core.ports import Record
from agent.dicom.header import read_header
from tests.fakes.instances import BIG_ENDIAN, DEFLATED, IMPLICIT, mammogram
from tests.fakes.instances import record as spooled

EXPLICIT = "1.2.840.10008.1.2.1"
LENGTH = 24 << 20  # more than the 16 MiB up to which a value is brought into one form before it is hashed
ALLOWED = 8 << 20


def _as_view(record: Record) -> Record:
    memory = mmap.mmap(-1, len(record.payload))
    memory.write(record.payload)
    return replace(record, payload=memoryview(memory))


def _with_pixels() -> Dataset:
    return mammogram(PixelData=bytes(range(256)) * (LENGTH >> 8), Rows=LENGTH >> 13, Columns=1 << 12)


def _with_zeros_behind() -> Dataset:
    return mammogram(DataSetTrailingPadding=bytes(LENGTH))


def _with_a_text() -> Dataset:
    return mammogram(ImageComments="ü" * 10, TextValue="x " * (LENGTH >> 1), SpecificCharacterSet="ISO_IR 192")


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("made", [_with_pixels, _with_zeros_behind, _with_a_text])
def test_a_view_reads_as_the_bytes_do_and_is_never_in_memory(made: object, transfer_syntax_uid: str) -> None:
    """Whatever makes it long."""
    assert callable(made)
    record = spooled(made(), transfer_syntax_uid)
    view = _as_view(record)
    tracemalloc.start()
    try:
        read = read_header(view, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == read_header(record, None)
    assert peak < ALLOWED


def test_zeros_behind_the_last_element_are_padding_in_a_view_too() -> None:
    """However many; one other byte among them is none."""
    record = spooled(mammogram(), EXPLICIT)
    padded = replace(record, payload=bytes(record.payload) + bytes(3 << 20))
    assert read_header(_as_view(padded), None).sop_instance_uid == mammogram().SOPInstanceUID
    wrong = replace(record, payload=bytes(record.payload) + bytes(3 << 20) + b"\1")
    with pytest.raises(Rejected):
        read_header(_as_view(wrong), None)


def test_a_deflated_dataset_that_is_longer_than_it_may_inflate_to_is_not_inflated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody deflates to twice the length; it would go to another process whole."""
    monkeypatch.setattr("agent.dicom.structure.MAX_INFLATED_BYTES", 1 << 10)
    monkeypatch.setattr("agent.dicom.inflating.subprocess", None)
    record = replace(spooled(mammogram(), DEFLATED), payload=bytes(3 << 10))
    with pytest.raises(Rejected, match="is larger than"):
        read_header(record, None)
