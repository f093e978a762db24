"""The Comprehensive SR that waits for an archive which does not take the Comprehensive 3D SR."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from agent.core.errors import Permanent
from agent.core.result import Kind, Result, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.compose import Composer
from agent.report.comprehensive import in_reserve
from agent.report.draft import Draft
from agent.report.drawing import drawing
from agent.report.slot import Finished
from agent.report.sr import report
from agent.report.text_sr import text_report
from agent.report.validate import validate, validate_together
from tests import builders
from tests.unit.report import overlays, scenes
from tests.unit.report.conftest import DEVICE, Read


def test_each_sr_has_one_right_behind_it(composer: Composer, views: Sequence[SourceImage]) -> None:
    """It names the SR for which it stands; no other object stands for any."""
    made = composer(builders.result([builders.estimate("L"), builders.estimate("R", 0.04)], views), views)
    assert [o.role for o in made[:4]] == ["sr:L", "sr:L:comprehensive", "sr:R", "sr:R:comprehensive"]
    assert [o.instead_of for o in made[:4]] == ["", made[0].sop_instance_uid, "", made[2].sop_instance_uid]
    assert {o.instead_of for o in made[4:]} == {""}
    assert [o.kind for o in made[:4]] == [Kind.SR] * 4


def test_it_says_the_same_under_its_own_name(objects: Read) -> None:
    """Content, evidence and patient are equal; SOP class, UIDs and Series Number are not."""
    one, other = objects["sr:L"], objects["sr:L:comprehensive"]
    assert (one.SOPClassUID, other.SOPClassUID) == (Comprehensive3DSRStorage, ComprehensiveSRStorage)
    differ = {"SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription"}
    assert {e.keyword for e in one if other.get(e.tag) != e} == differ
    assert {e.keyword for e in other} == {e.keyword for e in one}
    assert other.SeriesNumber == 906
    assert other.SeriesDescription == "AI ALN risk v1 L report, 2D - NOT FOR CLINICAL USE"
    assert other.file_meta.MediaStorageSOPClassUID == ComprehensiveSRStorage


def test_it_names_the_one_of_the_version_before(composer: Composer, left: Result, mlo: SourceImage) -> None:
    """The one in reserve was never at an archive that took the other: each names its own kind, or none."""
    before = {o.role: o.reference for o in composer(left, [mlo])}
    later = replace(left, version=2, predecessors=before)
    both = Read(composer(later, [mlo]))
    named = [
        both[role].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        for role in ("sr:L", "sr:L:comprehensive")
    ]
    assert [n.ReferencedSOPClassUID for n in named] == [Comprehensive3DSRStorage, ComprehensiveSRStorage]
    del before["sr:L:comprehensive"]
    assert (
        "PredecessorDocumentsSequence"
        not in Read(composer(replace(later, predecessors=before), [mlo]))["sr:L:comprehensive"]
    )


def test_it_waits_for_the_same_capture(composer: Composer) -> None:
    """A region on our capture needs that capture at any archive."""
    images = scenes.dynamic(one_series=True)
    result = builders.result(None, images, [scenes.mr_influence(images[4], "L")], **scenes.ALL)
    made = {o.role: o for o in composer(result, images)}
    assert made["sr:L:comprehensive"].needs == made["sr:L"].needs == (made["secondary_capture:L:1"].sop_instance_uid,)


def unencoded(result: Result, images: Sequence[SourceImage]) -> tuple[Draft, list[Finished]]:
    """Return the objects of a result on which there is one SR, without the gate."""
    draft = Draft.of(result, images, DEVICE)
    pictured = captures(draft)
    drawn = drawing(draft, draft.ranked[0], pictured)
    assert drawn is not None
    one = report(draft, 0, draft.ranked[0], drawn)
    reserve = in_reserve(draft, 0, one, drawn.source)
    return draft, [one, reserve, text_report(draft), *(c.finished for c in pictured)]


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("reserves_say_the_same", lambda made: [made[0], *made[2:]]),
        ("reserves_say_the_same", lambda made: [made[0], replace(made[1], instead_of="1.2.3"), *made[2:]]),
        ("reserves_say_the_same", lambda made: [made[0], altered(made[1]), *made[2:]]),
        ("reserves_have_flat_regions", lambda made: flattened(made)),
    ],
)
def test_one_that_differs_is_refused(left: Result, mlo: SourceImage, rule: str, spoil: object) -> None:
    """One for each SR, with the same content and needs, and no region in space."""
    draft, made = unencoded(left, [mlo])
    validate(draft, made)
    with pytest.raises(Permanent, match=rf"{rule}$"):
        validate_together(draft, spoil(made))  # type: ignore[operator]


def altered(one: Finished) -> Finished:
    """Give an SR other evidence."""
    ds = deepcopy(one.ds)
    ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
    return replace(one, ds=ds)


def flattened(made: list[Finished]) -> list[Finished]:
    """Give both SRs a region in space: they are alike, but one of them may not have it."""
    item = tree.named(made[0].ds, codes.COMMENT)[0]
    item.ValueType, item.GraphicType, item.GraphicData = "SCOORD3D", "POINT", [1.0, 2.0, 3.0]
    item.ReferencedFrameOfReferenceUID = "1.2.3"
    return [replace(one) for one in made]  # a tree that was walked once is not walked again


def test_no_other_kind_is_made_unless_asked_for(composer: Composer) -> None:
    """By default no destination gets segmentations, presentation states or key objects, and nothing is rejected."""
    result, images = overlays.slices()
    kinds = {o.kind for o in composer(overlays.second(result, images), images)}
    assert kinds == {Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE}
    assert composer.rejecting(overlays.second(result, images), images) == ()
