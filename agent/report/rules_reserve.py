"""Rules for an SR in reserve, beside those of every SR."""

from collections.abc import Sequence
from typing import Final

from pydicom.uid import ComprehensiveSRStorage

from agent.core.result import Kind
from agent.report.draft import Draft
from agent.report.slot import Finished


def reserves_say_the_same(draft: Draft, finished: Sequence[Finished]) -> bool:
    """Each SR has exactly one in reserve, of the other class, with the same content, needs and evidence."""
    reports = [one for one in finished if one.slot.kind is Kind.SR]
    reserve = {one.instead_of: one for one in reports if one.instead_of}
    preferred = {str(one.ds.SOPInstanceUID): one for one in reports if not one.instead_of}
    return reserve.keys() == preferred.keys() and all(_alike(preferred[uid], reserve[uid]) for uid in reserve)


def reserves_have_flat_regions(draft: Draft, finished: Sequence[Finished]) -> bool:
    """A Comprehensive SR holds no three-dimensional coordinates (PS3.3 A.35.3.3.1)."""
    reserve = [one for one in finished if one.instead_of]
    return all(one.ds.SOPClassUID == ComprehensiveSRStorage and not one.tree.typed("SCOORD3D") for one in reserve)


def _alike(one: Finished, other: Finished) -> bool:
    return one.needs == other.needs and all(
        one.ds.get(keyword) == other.ds.get(keyword)
        for keyword in ("StudyInstanceUID", "ContentSequence", "CurrentRequestedProcedureEvidenceSequence")
    )


RULES: Final = (reserves_say_the_same, reserves_have_flat_regions)
