"""The preamble of every file that is written is zeroed: it can never be a program (PS3.10 7.1, CVE-2019-11687)."""

import re
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from agent.core.ports import RecordKind
from agent.core.result import Kind
from agent.dicom.container import inflated
from agent.report.encode import encode
from agent.report.slot import Finished, Slot
from demo.patients import part10
from tests.fakes.instances import encode as encoded_dataset
from tests.fakes.instances import mammogram, meta_of
from tests.indexing import House

ZEROED = bytes(128) + b"DICM"
PROGRAMS = [b"MZ", b"\x7fELF", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe"]
ROOT = Path(__file__).parents[2]


def _polyglot(program: bytes) -> FileDataset:
    ds = FileDataset("", mammogram(), file_meta=FileMetaDataset(), preamble=program.ljust(128, b"\x90"))
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return ds


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_quarantined_program_is_none(tmp_path: Path, program: bytes) -> None:
    """The copy begins with zeros, whatever a sender put where the dataset should be; its bytes follow as they came."""
    house = House(tmp_path)
    payload = program.ljust(128, b"\x90") + b"DICM" + encoded_dataset(mammogram())
    house.spool.add(RecordKind.INSTANCE, meta_of(mammogram()), payload)
    house.indexer.tick()
    (copy,) = tmp_path.glob("*.dcm")
    assert copy.read_bytes().startswith(ZEROED)
    assert copy.read_bytes().endswith(payload)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_result_has_no_preamble_of_its_source(program: bytes) -> None:
    """What is exported and sent is encoded here, from a dataset that may have been read from a file."""
    ds = _polyglot(program)
    made = encode(Finished(Slot(Kind.SR, ds.SOPClassUID, "SR", "SR", 1), ds))
    assert made.encoded.startswith(ZEROED)


def test_an_inflated_file_has_none() -> None:
    """It is made anew."""
    meta = b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99"
    packed = encoded_dataset(mammogram(), "1.2.840.10008.1.2.1.99")
    assert inflated(b"MZ".ljust(128, b"\x90") + b"DICM" + meta + packed).startswith(ZEROED)


def test_the_demonstrations_files_have_none() -> None:
    """They are made from datasets of its own."""
    ds: Dataset = mammogram(StudyDate=date(2026, 1, 5).strftime("%Y%m%d"))
    ds.file_meta = _polyglot(b"MZ").file_meta
    assert part10(ds).startswith(ZEROED)


def test_nothing_else_writes_files() -> None:
    """Whoever encodes a Part 10 file in the agent or the demonstration is tested here."""
    writes = re.compile(r"dcmwrite\(|\.save_as\(|b\"DICM\"(?!\W*[!=]=)")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("agent", "demo")
        for path in (ROOT / folder).rglob("*.py")
        if any(writes.search(line) and "!=" not in line for line in path.read_text(encoding="utf-8").splitlines())
    }
    assert found == {"agent/report/encode.py", "agent/dicom/container.py", "agent/dicom/part10.py", "demo/patients.py"}
