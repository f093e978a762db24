"""An SR in reserve: the same answer as a Comprehensive SR, for archives that do not take a Comprehensive 3D SR."""

from dataclasses import replace
from typing import Final

from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage

from agent.report.catalogue import marked as _
from agent.report.document import supersede
from agent.report.draft import Draft
from agent.report.header import Source
from agent.report.slot import RESERVE_SERIES, Finished

FORM: Final = "comprehensive"
LABEL: Final = _("report, 2D")  # all that this SOP class lacks is three-dimensional coordinates


def in_reserve(draft: Draft, rank: int, made: Finished, source: Source) -> Finished:
    """Return the Comprehensive SR (PS3.3 A.35.3) that stands for a Comprehensive 3D SR: same tree, own identity.

    Parameters
    ----------
    draft
        The result.
    rank
        Of the axilla, 0 for the higher risk.
    made
        The SR for which it stands.
    source
        An image of that SR's study.
    """
    slot = replace(
        made.slot,
        sop_class_uid=ComprehensiveSRStorage,
        label=f"{made.slot.axilla} {LABEL}",
        series=RESERVE_SERIES + rank,
        form=FORM,
    )
    ds = Dataset()
    ds.update(made.ds)
    ds.update(draft.base(slot, source))
    supersede(draft, slot, ds)
    return Finished(slot, ds, made.needs, instead_of=str(made.ds.SOPInstanceUID))
