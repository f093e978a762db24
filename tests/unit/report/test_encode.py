"""Encoding: byte by byte what pydicom writes, though a content tree that two objects share is encoded once."""

from copy import deepcopy
from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import Dataset, dcmwrite

from agent.report.draft import Draft
from agent.report.encode import Trees, encode
from agent.report.slot import Finished
from tests.unit.report import scenes
from tests.unit.report.broken import RESERVE, SR, TEXT, finished
from tests.unit.report.conftest import DEVICE


@pytest.fixture(scope="module")
def made() -> dict[str, Finished]:
    """Objects by role: an SR, the one in reserve, a page, pictures."""
    return {one.slot.role: one for one in finished(Draft.of(*scenes.everything(), DEVICE))}


def alone(ds: Dataset) -> bytes:
    """Return what pydicom writes of a dataset that was encoded before, and so has its meta information."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def test_bytes_are_pydicoms(made: dict[str, Finished]) -> None:
    """Of every object, whether its tree was encoded before or not."""
    trees: Trees = {}
    for one in made.values():
        assert encode(one, trees).encoded == encode(one).encoded == alone(one.ds)


def test_a_tree_is_encoded_once(made: dict[str, Finished]) -> None:
    """That of an SR and the one in reserve; the page has its own."""
    trees: Trees = {}
    for role in (SR, RESERVE, TEXT):
        encode(made[role], trees)
    assert len(trees) == 2


def test_a_tree_that_differs_is_encoded_by_itself(made: dict[str, Finished]) -> None:
    """It is told by what it is, not by its role."""
    trees: Trees = {}
    encode(made[SR], trees)
    other = replace(made[RESERVE], ds=deepcopy(made[RESERVE].ds))
    del other.ds.ContentSequence[0]
    assert encode(other, trees).encoded == alone(other.ds) != encode(made[RESERVE], trees).encoded


def test_what_stands_behind_the_tree_stays_there(made: dict[str, Finished]) -> None:
    """Attributes are in the order of their tags (PS3.5 7.1)."""
    one = replace(made[SR], ds=deepcopy(made[SR].ds))
    one.ds.add_new(0x00990010, "LO", "OURS")
    encoded = encode(one).encoded
    assert encoded == alone(one.ds)
    assert encoded.endswith(b"OURS")
