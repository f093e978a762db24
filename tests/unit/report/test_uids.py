"""UIDs are derived, never drawn."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from agent.dicom.uids import derived, device_uid, mint, series_uid, tracking_uid

A, B = UUID(int=1), UUID(int=2)
BASE: dict[str, Any] = {
    "installation": A,
    "case_uuid": B,
    "version": 1,
    "question": "aln",
    "axilla": "L",
    "kind": "sr",
    "sop_class_uid": "1.2",
    "index": 1,
}


@given(
    st.lists(st.text(alphabet="abc1", max_size=4), max_size=4),
    st.lists(st.text(alphabet="abc1", max_size=4), max_size=4),
)
def test_uids_are_equal_only_for_equal_parts(first: list[str], second: list[str]) -> None:
    """Parts cannot run into each other."""
    same = derived(A, "x", *first) == derived(A, "x", *second)
    assert same == (first == second)


@given(st.uuids(), st.uuids(), st.integers(1, 999), st.sampled_from(["L", "R", ""]), st.integers(1, 99))
def test_uids_are_valid(installation: UUID, case: UUID, version: int, axilla: str, index: int) -> None:
    """Every UID fits PS3.5 9.1: at most 64 characters, no leading zero."""
    other = {"installation": installation, "case_uuid": case, "version": version, "axilla": axilla, "index": index}
    minted = mint(**(BASE | other))
    assert UID(minted).is_valid
    assert minted.startswith("2.25.")


def test_every_argument_counts() -> None:
    """Another installation, case, version, question, axilla, kind, class or index is another object."""
    others = (B, A, 2, "nsln", "R", "text_sr", "1.3", 2)
    made = {mint(**BASE)} | {mint(**(BASE | {name: other})) for name, other in zip(BASE, others, strict=True)}
    assert len(made) == len(BASE) + 1


def test_kinds_of_uid_do_not_meet() -> None:
    """An instance, its series, its tracking identifier and the device never share a UID."""
    made = [
        mint(**BASE),
        series_uid(installation=A, case_uuid=B, version=1, question="aln", role="sr", study_uid="1.2"),
        tracking_uid(A, B, 1, "aln", "L"),
    ]
    assert len({*made, device_uid(A)}) == 4
