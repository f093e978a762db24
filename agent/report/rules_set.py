"""Rules for the objects of a result together."""

from collections.abc import Sequence
from typing import Final

from agent.core.result import Kind
from agent.dicom import codes
from agent.report.draft import Draft
from agent.report.slot import Finished


def every_object_has_its_own_uid(draft: Draft, finished: Sequence[Finished]) -> bool:
    """No two objects share a SOP Instance UID."""
    return _unique([str(one.ds.SOPInstanceUID) for one in finished])


def one_document_a_series(draft: Draft, finished: Sequence[Finished]) -> bool:
    """Of several documents in one series only the last is shown."""
    return _unique([str(one.ds.SeriesInstanceUID) for one in finished if one.slot.modality == "SR"])


def tracking_uids_are_unique(draft: Draft, finished: Sequence[Finished]) -> bool:
    """Groups that share one are merged by viewers."""
    sent = [one for one in finished if not one.instead_of]  # one in reserve is the same answer in another form
    found = [i.UID for one in sent for i in one.tree.named(codes.TRACKING_UNIQUE_IDENTIFIER)]
    return _unique([str(uid) for uid in found])


def one_text(draft: Draft, finished: Sequence[Finished]) -> bool:
    """Every result has one page."""
    return sum(one.slot.kind is Kind.TEXT_SR for one in finished) == 1


def every_answer_is_in_a_picture(draft: Draft, finished: Sequence[Finished]) -> bool:
    """The captures are for displays that show nothing else."""
    said = " ".join(str(one.ds.get("ImageComments", "")) for one in finished)
    return all(draft.words.answer(a) in said for a in draft.result.answers)


def _unique(values: Sequence[str]) -> bool:
    return len(set(values)) == len(values)


RULES: Final = (
    every_object_has_its_own_uid,
    one_document_a_series,
    tracking_uids_are_unique,
    one_text,
    every_answer_is_in_a_picture,
)
