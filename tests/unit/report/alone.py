"""Some objects of a result for tests that look at no others: past the gate, encoded and read back, by role."""

from collections.abc import Iterable, Sequence
from io import BytesIO

from pydicom import Dataset, dcmread

from agent.core.result import Result, SourceImage
from agent.report.capture import captures
from agent.report.catalogue import Language
from agent.report.draft import Draft
from agent.report.drawing import drawing
from agent.report.encode import encode
from agent.report.presentation_state import presentation_states
from agent.report.segmentation import segmentations
from agent.report.slot import Finished
from agent.report.sr import report
from agent.report.text_sr import text_report
from agent.report.validate import validate_one
from tests.unit.report.conftest import DEVICE


def pictures(result: Result, images: Sequence[SourceImage]) -> dict[str, Dataset]:
    """Return the summary and the heatmaps."""
    draft = Draft.of(result, images, DEVICE)
    return _read(draft, (c.finished for c in captures(draft)))


def reports(result: Result, images: Sequence[SourceImage]) -> dict[str, Dataset]:
    """Return the SRs, without those in reserve."""
    draft = Draft.of(result, images, DEVICE)
    pictured = captures(draft)
    drawn = [(rank, estimate, drawing(draft, estimate, pictured)) for rank, estimate in enumerate(draft.ranked)]
    return _read(draft, (report(draft, rank, estimate, on) for rank, estimate, on in drawn if on))


def page(result: Result, images: Sequence[SourceImage], language: Language = Language.ENGLISH) -> Dataset:
    """Return the text SR."""
    draft = Draft.of(result, images, DEVICE, language=language)
    return _read(draft, [text_report(draft)])["text_sr"]


def overlaid(result: Result, images: Sequence[SourceImage]) -> dict[str, Dataset]:
    """Return the segmentations and the presentation states."""
    draft = Draft.of(result, images, DEVICE)
    headers = {i.instance.sop_instance_uid: i.header for i in images}
    return _read(draft, [*segmentations(draft, headers), *presentation_states(draft, headers)])


def _read(draft: Draft, made: Iterable[Finished]) -> dict[str, Dataset]:
    read = {}
    for one in made:
        validate_one(draft, one)
        read[one.slot.role] = dcmread(BytesIO(encode(one).encoded))
    return read
