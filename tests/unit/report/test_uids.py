"""UIDs are derived, never drawn."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from agent.dicom.uids import derived, device_uid, mint, series_uid, tracking_uid

A, B = UUID(int=1), UUID(int=2)


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
    minted = mint(installation, case, version, "aln", axilla, "sr", "1.2.3", index)
    assert UID(minted).is_valid
    assert minted.startswith("2.25.")


def test_every_argument_counts() -> None:
    """Another installation, case, version, question, axilla, kind, class or index is another object."""
    base = (A, B, 1, "aln", "L", "sr", "1.2", 1)
    others = (B, A, 2, "nsln", "R", "text_sr", "1.3", 2)
    made = {mint(*base)} | {mint(*base[:n], other, *base[n + 1 :]) for n, other in enumerate(others)}  # type: ignore[arg-type]
    assert len(made) == len(base) + 1


def test_kinds_of_uid_do_not_meet() -> None:
    """An instance, its series, its tracking identifier and the device never share a UID."""
    made = [
        mint(A, B, 1, "aln", "L", "sr", "1.2", 1),
        series_uid(A, B, 1, "aln", "sr", "1.2"),
        tracking_uid(A, B, 1, "aln", "L"),
    ]
    assert len({*made, device_uid(A)}) == 4
