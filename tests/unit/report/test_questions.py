"""The three questions: each in the same form, under its own codes and words, and never a finding of disease."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind, Result, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.compose import Composer, Language
from agent.report.draft import Draft
from agent.report.questions import QUESTIONS
from agent.report.rules_sr import MAX_LINE
from agent.report.slot import Finished
from agent.report.validate import validate
from tests import builders, peers
from tests.refusing import refusal
from tests.unit.report import alone, scenes
from tests.unit.report.breaking import broken_copy
from tests.unit.report.broken import BROKEN, EVERYTHING, finished
from tests.unit.report.conftest import DEVICE, Read
from tests.unit.report.test_validators import run

OTHERS = sorted(QUESTIONS.keys() - {"aln"})
FIRST = {rule: (rule, role, break_it) for rule, role, break_it in reversed(BROKEN)}


def four_views() -> tuple[Result, list[SourceImage]]:
    """Both axillae, four mammograms."""
    images = [builders.source_image(builders.mammogram(s, v)) for s in "LR" for v in ("CC", "MLO")]
    return builders.result([builders.estimate("L"), builders.estimate("R", 0.042)], images), images


def refused() -> tuple[Result, list[SourceImage]]:
    """No estimate."""
    images = [builders.source_image()]
    return builders.result([NoEstimate(Side.L, "no facts")], images, []), images


def four_dimensional() -> tuple[Result, list[SourceImage]]:
    """A dynamic MR in one series: the region lies on our capture."""
    images = scenes.dynamic(one_series=True)
    return builders.result([builders.estimate()], images, [scenes.mr_influence(images[4], "L")], **scenes.ALL), images


SCENES: dict[str, Callable[[], tuple[Result, list[SourceImage]]]] = {
    "four views": four_views,
    "no estimate": refused,
    "four modalities": scenes.everything,
    "MR": scenes.mr_alone,
    "4-D": four_dimensional,
    "slide": scenes.slides,
}


@pytest.mark.parametrize(
    ("question", "language"),
    [("aln", Language.GERMAN), ("nsln", Language.ENGLISH), ("histology", Language.GERMAN)],
)
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_of_every_question_passes_the_gate(scene: str, question: str, language: Language) -> None:
    """All kinds of objects, whatever was asked; series begin with the question and the version."""
    result, images = SCENES[scene]()
    composer = Composer(DEVICE, language=language, kinds=frozenset(Kind))
    objects = Read(composer(replace(result, question=question), images))
    short = QUESTIONS[question].short
    assert all(ds.SeriesDescription.startswith(f"AI {short} risk v1 ") for ds in objects.by_role.values())
    assert all(codes.DISEASE.isdisjoint(tree.Tree.of(ds).codes) for ds in objects.by_role.values())


@pytest.mark.parametrize(
    ("question", "number", "finding", "tracking"),
    [
        ("aln", "ALN risk", "Estimated risk of axillary nodal metastasis", "ALN risk L"),
        ("nsln", "Non-SLN risk", "Estimated risk of non-sentinel nodal metastasis", "NSLN risk L"),
        ("histology", "Metastasis on slide", "Estimated probability of nodal metastasis on slide", "Slide risk L"),
    ],
)
def test_number_and_finding_are_named_after_the_question(
    mlo: SourceImage, question: str, number: str, finding: str, tracking: str
) -> None:
    """What a viewer prints beside the region, what the group is about, and how it is tracked."""
    ds = alone.reports(builders.result(None, [mlo], question=question), [mlo])["sr:L"]
    group = tree.named(ds, codes.MEASUREMENT_GROUP)[0]
    named = tree.children(group, "NUM")[0].ConceptNameCodeSequence[0]
    assert (named.CodeMeaning, named.CodingSchemeDesignator) == (number, codes.SCHEME)
    assert len(f"{number}: 99.99 %") <= MAX_LINE
    assert [i.ConceptCodeSequence[0].CodeMeaning for i in tree.named(group, codes.FINDING)] == [finding]
    assert tree.named(group, codes.TRACKING_IDENTIFIER)[0].TextValue == tracking


def test_codes_of_questions_differ() -> None:
    """A reader of one question's numbers never takes another's for them."""
    found = [c for q in codes.QUESTIONS.values() for c in (q.probability, q.category, q.finding)]
    assert len({c.value for c in found}) == len(found) == 9
    assert codes.QUESTIONS.keys() == QUESTIONS.keys()


@pytest.mark.parametrize("question", OTHERS)
def test_page_asks_its_own_question(mlo: SourceImage, question: str) -> None:
    """Question, definition, answer and limits are not those of the other questions."""

    def said(of: str) -> set[str]:
        page = alone.page(builders.result(None, [mlo], question=of), [mlo])
        return {str(item.TextValue) for item in tree.items(page) if item.ValueType == "TEXT"}

    mine = said(question) - said("aln")
    words = QUESTIONS[question]
    assert words.asked in mine
    assert words.limit in mine
    assert any(words.event in text for text in mine)


@pytest.fixture(scope="module", params=OTHERS)
def draft(request: pytest.FixtureRequest) -> Draft:
    """Another question: a left axilla with an estimate, a right one without."""
    image = builders.source_image()
    answers = [builders.estimate(), NoEstimate(Side.R, "no facts")]
    result = builders.result(answers, [image], question=request.param, **EVERYTHING)
    return Draft.of(result, [image], DEVICE)


@pytest.fixture(scope="module")
def sound(draft: Draft) -> list[Finished]:
    """Its objects, which keep every rule."""
    return finished(draft)


def test_sound_objects_of_another_question_pass(draft: Draft, sound: Sequence[Finished]) -> None:
    """What is broken below was whole."""
    assert refusal(validate, draft, sound) == ""


@pytest.mark.parametrize(("rule", "role", "break_it"), FIRST.values(), ids=FIRST)
def test_broken_object_of_another_question_is_refused(
    draft: Draft, sound: Sequence[Finished], rule: str, role: str, break_it: Callable[[Dataset], object]
) -> None:
    """Each rule holds for every question."""
    one = next(o for o in sound if o.slot.role == role)
    spoilt = broken_copy(one, break_it)
    with pytest.raises(Permanent, match=f"^{role} breaks the rule {rule}$"):
        validate(draft, [spoilt])


@pytest.mark.parametrize("question", OTHERS)
def test_dciodvfy_finds_no_error(tmp_path: Path, composer: Composer, question: str) -> None:
    """Of a slide, too."""
    program = peers.program("dciodvfy")
    result, images = scenes.slides(**EVERYTHING)
    for o in composer(replace(result, question=question), images):
        path = tmp_path / f"{o.role.replace(':', '-')}.dcm"
        path.write_bytes(o.encoded)
        said = run(program, "-new", str(path)).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert [line for line in said if line.startswith("Warning") and "99SENTINODE" not in line] == []
