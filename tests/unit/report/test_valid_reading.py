"""What a reader gets: the encoded objects of every scene, read back with highdicom, say what the result says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import highdicom as hd
import numpy as np
import pytest
from highdicom.sr import Comprehensive3DSR, ComprehensiveSR, EnhancedSR
from pydicom import dcmread
from pydicom.uid import UltrasoundMultiFrameImageStorage

from agent.core.prediction import Estimate, NoEstimate, Side
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom import codes, uids
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.figures import percent
from tests import builders
from tests.unit.report import scenes
from tests.unit.report.conftest import DEVICE

Scene = tuple[Result, Sequence[SourceImage]]


def four_views() -> list[SourceImage]:
    """Return the four views of a mammography."""
    return [builders.source_image(builders.mammogram(s, v)) for s in "LR" for v in ("CC", "MLO")]


def bilateral() -> Scene:
    """Both axillae with an estimate, one of them nearly certain."""
    views = four_views()
    return builders.result([builders.estimate("L", 0.00001), builders.estimate("R", 0.7312)], views), views


def mixed() -> Scene:
    """One axilla with an estimate, one without."""
    views = four_views()
    return builders.result([builders.estimate("L"), NoEstimate(Side.R, "no facts")], views), views


def no_estimate() -> Scene:
    """No number at all."""
    views = four_views()
    return builders.result([NoEstimate(None, "side unknown")], views), views


def facts_alone() -> Scene:
    """An estimate that rests on no image."""
    return builders.result(None, [], []), four_views()


def clip() -> Scene:
    """An ultrasound clip of which one frame had influence."""
    ds = scenes.ultrasound(number=9, SOPClassUID=UltrasoundMultiFrameImageStorage)
    image = scenes.source(ds, frame=6, frames=12)
    return builders.result(None, [image], [builders.influence(image, 50, 40)], **scenes.ALL), [image]


def four_dimensional() -> Scene:
    """A dynamic MR in one series: the region lies on our own capture."""
    images = scenes.dynamic(one_series=True)
    found = [scenes.mr_influence(images[4], side) for side in "LR"]
    answers = [builders.estimate("L", 0.3), builders.estimate("R", 0.6)]
    return builders.result(answers, images, found, **scenes.ALL), images


SCENES: dict[str, Callable[[], Scene]] = {
    "one view": lambda: (lambda image: (builders.result(None, [image]), [image]))(builders.source_image()),
    "bilateral": bilateral,
    "mixed": mixed,
    "no estimate": no_estimate,
    "facts alone": facts_alone,
    "four modalities": scenes.everything,
    "MR alone": scenes.mr_alone,
    "clip": clip,
    "4-D": four_dimensional,
}


@dataclass(frozen=True)
class Read:
    """A scene's draft and its encoded objects."""

    draft: Draft
    objects: Sequence[ResultObject]

    @cached_property
    def documents(self) -> dict[str, EnhancedSR | ComprehensiveSR | Comprehensive3DSR]:
        """Its SRs and its page by role, as highdicom reads them: the tests only look at them."""
        kinds = (Kind.SR, Kind.TEXT_SR)
        return {one.role: hd.sr.srread(BytesIO(one.encoded)) for one in self.objects if one.kind in kinds}

    def of(self, kind: Kind) -> list[ResultObject]:
        """Return the objects of a kind."""
        return [o for o in self.objects if o.kind is kind]


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest) -> Read:
    """Each scene in turn."""
    result, images = SCENES[request.param]()
    return Read(Draft.of(result, images, DEVICE), Composer(DEVICE)(result, images))


def test_measurement_report_read_back_says_what_the_result_says(scene: Read) -> None:
    """Numbers, side, category, model and tracking of every axilla that has an estimate."""
    result, found = scene.draft.result, {}
    for one in scene.of(Kind.SR):
        report = scene.documents[one.role]
        assert isinstance(report, hd.sr.Comprehensive3DSR | hd.sr.ComprehensiveSR)
        (group,) = report.content.get_image_measurement_groups()
        found[one.axilla] = group
        said = [(m.name, m.value, m.unit) for m in group.get_measurements()]
        estimate = next(e for e in result.estimates if e.side == one.axilla)
        assert said == [
            (codes.PROBABILITY, percent(estimate.probability), codes.PERCENT),
            (codes.CI_LOWER, percent(estimate.low), codes.PERCENT),
            (codes.CI_UPPER, percent(estimate.high), codes.PERCENT),
        ]
        (category,) = group.get_qualitative_evaluations(name=codes.RISK_CATEGORY)
        assert category.value == codes.CATEGORIES[estimate.category]
        (site,) = group.finding_sites
        assert (site.value, site.laterality) == (codes.AXILLARY_NODE, codes.SIDES[one.axilla])
        assert group.tracking_uid == uids.tracking_uid(
            result.installation, result.case_uuid, result.version, result.question, one.axilla
        )
    assert set(found) == {i.side for i in result.influences}


def test_regions_read_back_lie_on_what_is_named_as_evidence(scene: Read) -> None:
    """Every number points to an image that the document names, in the document's own study."""
    for one in scene.of(Kind.SR):
        report = scene.documents[one.role]
        named = {(str(study), str(instance)) for study, _, instance, _ in report.get_evidence()}
        (group,) = report.content.get_image_measurement_groups()
        regions = [r for m in group.get_measurements() for r in m.referenced_coordinates]
        assert len(regions) == 3
        for region in regions:
            on = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            assert (one.study_instance_uid, str(on)) in named


def test_evidence_read_back_is_what_the_model_was_given(scene: Read) -> None:
    """Neither more nor less, but for the capture on which a region lies."""
    draft, made = scene.draft, scene.objects
    inputs = {i.sop_instance_uid for i in draft.evidence}
    for one in made:
        if one.kind in (Kind.SR, Kind.TEXT_SR):
            named = {str(instance) for _, _, instance, _ in scene.documents[one.role].get_evidence()}
            assert named == inputs | set(one.needs)


def test_text_read_back_says_every_answer(scene: Read) -> None:
    """The page has the sentence of each axilla, with the same number."""
    draft = scene.draft
    (one,) = scene.of(Kind.TEXT_SR)
    report = scene.documents[one.role]
    assert isinstance(report, hd.sr.EnhancedSR)
    texts = [str(e.value) for e in report.iterall() if e.keyword == "TextValue"]
    for answer in draft.result.answers:
        assert draft.words.answer(answer) in texts
    numbers = [a for a in draft.result.answers if isinstance(a, Estimate)]
    assert any("%" in text for text in texts) is bool(numbers)


def test_picture_read_back_is_the_picture(scene: Read) -> None:
    """Decoded by a reader it has the size and the colours that were drawn, and says its answer and its side."""
    draft = scene.draft
    said = [draft.words.answer(a) for a in draft.result.answers]
    for one in scene.of(Kind.SECONDARY_CAPTURE):
        image = hd.imread(BytesIO(one.encoded))
        pixels_hwc = image.get_frame(1)
        assert pixels_hwc.shape == (image.Rows, image.Columns, 3)
        assert np.array_equal(pixels_hwc, dcmread(BytesIO(one.encoded)).pixel_array)
        assert any(answer in image.ImageComments for answer in said)
        assert one.axilla in ("", image.ImageLaterality)


def test_every_element_is_of_even_length_and_in_order(scene: Read) -> None:
    """The bytes as they leave: tags rise, lengths are even, and nothing is left over (PS3.5 7.1)."""
    for one in scene.objects:
        end = 144 + int.from_bytes(one.encoded[140:144], "little")
        last, at, seen = -1, end, 0
        while at < len(one.encoded):
            tag, length, at = element(one.encoded, at)
            assert tag > last
            assert length % 2 == 0
            last, at, seen = tag, at + length, seen + 1
        assert at == len(one.encoded)
        assert seen > 20


LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV")


def element(encoded: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, length and where the value begins, of an element in explicit VR little endian."""
    tag = int.from_bytes(encoded[at : at + 2], "little") << 16 | int.from_bytes(encoded[at + 2 : at + 4], "little")
    if encoded[at + 4 : at + 6] in LONG:
        return tag, int.from_bytes(encoded[at + 8 : at + 12], "little"), at + 12
    return tag, int.from_bytes(encoded[at + 6 : at + 8], "little"), at + 8
