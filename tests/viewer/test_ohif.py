"""What a radiologist sees of our objects in OHIF, of every case that there is."""

import re
from collections.abc import Callable, Iterable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread

from agent.core.result import ResultObject
from agent.report.layout import RED
from tests.viewer import cases
from tests.viewer.cases import Shown
from tests.viewer.viewing import Seen, Step, Viewer

LOADED = Step("load", until="W:")  # the window's width stands beside an image that is shown
DISCLAIMER = "NOT FOR CLINICAL USE"


def look(viewer: Viewer, name: str, case: Shown, *steps: Step) -> Seen:
    """Store a case, look at it, and assert that nothing broke."""
    viewer.store(case.files)
    seen = viewer.look(name, case.studies, [LOADED, *steps])
    assert (seen.complaints, seen.failed, seen.outside) == ([], [], [])
    assert seen.clipped == {}
    assert not any("tracking measurements" in page for page in seen.pages.values())
    return seen


def text_step(case: Shown, series: int = 902, role: int = 0) -> Step:
    """Open the text, until its last line is there."""
    return Step("text", series, until=lines_of(texts_of(case)[role])[-1])


def texts_of(case: Shown) -> list[ResultObject]:
    """Return the texts of all versions."""
    return [o for o in case.objects if o.role == "text_sr"]


def lines_of(text: ResultObject) -> list[str]:
    """Return every sentence of a text SR."""
    return list(_values(dcmread(BytesIO(text.encoded))))


def _values(item: Dataset) -> Iterable[str]:
    for child in item.get("ContentSequence", []):
        if child.ValueType == "TEXT":
            yield str(child.TextValue)
        yield from _values(child)


def assert_shows(page: str, lines: Iterable[str]) -> None:
    """Assert that each sentence stands on a page, whatever its breaks."""
    shown = re.sub(r"\s+", " ", page)
    assert [line for line in lines if re.sub(r"\s+", " ", line) not in shown] == []


def pixels_like(shot: str, colour: tuple[int, int, int]) -> int:
    """Count the pixels of a colour in a screenshot."""
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    return int((np.abs(pixels - colour).max(axis=2) <= 6).sum())


def letters(shot: str) -> int:
    """Count the pixels of a screenshot that are lighter than the dark red band and the black below it."""
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    return int((pixels[..., 1] > 60).sum())


def has_red_band(shot: str) -> bool:
    """Whether the disclaimer's band is on a screenshot."""
    return pixels_like(shot, RED) > 3000


@pytest.fixture(scope="module")
def bilateral(viewer: Viewer) -> tuple[Shown, Seen]:
    """Four views, an answer for each axilla."""
    case = cases.four_views("bilateral")
    left, right = Step("left", 900, until="73.12 %"), Step("right", 904, until="4.20 %")
    heatmaps = (
        Step("summary", 901, until="v1 summary", beneath=True),
        Step("heatmap-left", 903, until="v1 L heatmap", beneath=True),
        Step("heatmap-right", 905, until="v1 R heatmap", beneath=True),
    )
    return case, look(viewer, "bilateral", case, left, right, text_step(case), *heatmaps)


def test_each_axilla_is_drawn_on_its_view(bilateral: tuple[Shown, Seen]) -> None:
    """The box of an axilla, its number and the disclaimer lie on that side's view."""
    _, seen = bilateral

    for step, number in (("left", "73.12"), ("right", "4.20")):
        assert f"ALN risk: {number} %" in seen.texts[step]
        assert DISCLAIMER in seen.texts[step]
        assert f"{step[0].upper()} MLO" in seen.texts[step]
        assert not has_red_band(seen.shots[step])


def test_the_text_is_a_page(bilateral: tuple[Shown, Seen]) -> None:
    """All that the text says is on the page, the numbers of both axillae among it."""
    case, seen = bilateral

    lines = lines_of(case.of("text_sr"))

    assert_shows(seen.texts["text"], lines)
    assert any("73.1" in line for line in lines)
    assert any("4.2" in line for line in lines)


def test_the_heatmaps_are_pictures_with_a_red_band(bilateral: tuple[Shown, Seen]) -> None:
    """Each axilla's captures show the disclaimer and a number."""
    _, seen = bilateral

    assert has_red_band(seen.shots["heatmap-left"])
    assert has_red_band(seen.shots["heatmap-right"])


def test_no_line_of_the_text_runs_out_of_sight(bilateral: tuple[Shown, Seen]) -> None:
    """Every line of the page ends within the viewport."""
    _, seen = bilateral

    assert seen.overrun == {}


@pytest.mark.parametrize("step", ["summary", "heatmap-left", "heatmap-right"])
def test_nothing_lies_over_the_words(bilateral: tuple[Shown, Seen], step: str) -> None:
    """Where OHIF puts its controls for playing over a picture there is no letter, of the number or of anything else."""
    _, seen = bilateral

    assert letters(seen.covered[step]) == 0


@pytest.mark.slow
def test_ultrasound_stills(viewer: Viewer) -> None:
    """The box lies on the still of the axilla, the second of two; of a Japanese name the Latin part is shown."""
    case = cases.ultrasound_stills("stills", PatientName="Yamada^Hanako=山田^花子=やまだ^はなこ")
    steps = Step("report", 900, until="38.00 %"), text_step(case), Step("heatmap", 903, until="v1 L heatmap")

    seen = look(viewer, "stills", case, *steps, Step("name", click="Patient", until="Yamada"))

    assert "ALN risk: 38.00 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert "(2/2)" in seen.texts["report"]
    assert_shows(seen.texts["text"], lines_of(case.of("text_sr")))
    assert has_red_band(seen.shots["heatmap"])


@pytest.mark.slow
def test_ultrasound_clip(viewer: Viewer) -> None:
    """The clip opens at the frame that had influence."""
    case = cases.ultrasound_clip("clip")
    steps = Step("report", 900, until="38.00 %"), text_step(case), Step("heatmap", 903, until="v1 L heatmap")

    seen = look(viewer, "clip", case, *steps)

    assert "ALN risk: 38.00 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert "(8/12)" in seen.texts["report"]
    assert has_red_band(seen.shots["heatmap"])


@pytest.mark.slow
def test_dynamic_mr_of_a_series_a_phase(viewer: Viewer) -> None:
    """The box lies on the slice of the phase that had influence."""
    case = cases.dynamic_mr("mr", one_series=False)
    steps = Step("report", 900, until="73.12 %"), text_step(case), Step("heatmap", 903, until="v1 L heatmap")

    seen = look(viewer, "mr", case, *steps)

    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert "DCE T1 axial phase 2" in seen.texts["report"]
    assert "I:11" in seen.texts["report"].replace(" | ", "")
    assert has_red_band(seen.shots["heatmap"])


@pytest.mark.slow
def test_dynamic_mr_in_one_series(viewer: Viewer) -> None:
    """The box lies on our picture of the slice: on the 4D series itself the page would freeze.

    The picture is not opened by itself: OHIF takes any image of such a study for a volume, and shows black.
    """
    case = cases.dynamic_mr("mr4d", one_series=True)

    seen = look(viewer, "mr4d", case, Step("report", 900, until="73.12 %"), text_step(case))

    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert has_red_band(seen.shots["report"])
    assert_shows(seen.texts["text"], lines_of(case.of("text_sr")))


@pytest.mark.slow
def test_two_studies(viewer: Viewer) -> None:
    """Report and text are in the newer study, and each study has pictures of its own images."""
    case = cases.two_studies("two")
    heatmaps = Step("heatmap", 903, until="19-Jan-2026"), Step("heatmap-older", 903, until="05-Jan-2026", nth=1)

    seen = look(viewer, "two", case, Step("report", 900, until="73.12 %"), text_step(case), *heatmaps)

    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert "19-Jan-2026" in seen.texts["report"]
    assert all(has_red_band(seen.shots[step.name]) for step in heatmaps)


@pytest.mark.slow
def test_clinical_facts_alone(viewer: Viewer) -> None:
    """Where no image had influence there is no box, but a page and a picture with the number."""
    case = cases.clinical_only("clinical")

    seen = look(viewer, "clinical", case, text_step(case), Step("summary", 901, until="summary", beneath=True))

    assert not any("report" in o.role or o.role.startswith("sr:") for o in case.objects)
    assert_shows(seen.texts["text"], lines_of(case.of("text_sr")))
    assert "31.0" in seen.texts["text"]
    assert has_red_band(seen.shots["summary"])


@pytest.mark.slow
def test_no_estimate(viewer: Viewer) -> None:
    """The reason is read as text and seen as a picture, and no probability is anywhere."""
    case = cases.no_estimate("none")

    seen = look(viewer, "none", case, text_step(case), Step("summary", 901, until="summary", beneath=True))

    assert cases.REASON in seen.texts["text"]
    assert "%" not in "".join(seen.pages.values())
    assert has_red_band(seen.shots["summary"])


@pytest.mark.slow
def test_superseded_version_of_a_greek_name(viewer: Viewer) -> None:
    """Both versions are listed by their numbers, the later one says what it supersedes; the name is as written."""
    case = cases.superseded("greek", PatientName="ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ")
    steps = Step("report", 920, until="31.00 %"), text_step(case, 922, 1), Step("heatmap", 923, until="v2 L heatmap")

    seen = look(viewer, "greek", case, *steps, Step("name", click="Patient", until="ΔΟΚΙΜΗ, ΣΥΝΘΕΤΙΚΗ"))

    listed = re.findall(r"AI ALN risk (v\d L report)", seen.pages["load"])
    assert sorted(listed) == ["v1 L report", "v2 L report"]
    assert any("supersedes version 1" in line for line in lines_of(texts_of(case)[1]))
    assert_shows(seen.texts["text"], lines_of(texts_of(case)[1]))
    assert has_red_band(seen.shots["heatmap"])


def _without_region(group: Dataset) -> None:
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            del item.ContentSequence


def _with_a_long_line(group: Dataset) -> None:
    (item,) = [i for i in group.ContentSequence if i.get("TextValue") == DISCLAIMER]
    item.TextValue = " ".join([DISCLAIMER] * 6)


def _seen_with(viewer: Viewer, name: str, change: Callable[[Dataset], None], *steps: Step) -> Seen:
    """Look at a report whose measurement group was changed behind the back of our own rules."""
    case = cases.four_views(name, answers=[cases.builders.estimate("L")])
    report = case.of("sr:L")
    ds = dcmread(BytesIO(report.encoded))
    change(ds.ContentSequence[-1].ContentSequence[0])
    buffer = BytesIO()
    ds.save_as(buffer)
    viewer.store([*(part for part, _ in case.images), buffer.getvalue()])
    return viewer.look(name, case.studies, [LOADED, *steps])


def test_a_group_without_a_region_is_seen_to_break(viewer: Viewer) -> None:
    """What no validator objects to stops the viewer, and the check sees it."""
    steps = Step("report", 900), Step("end", until="Something went wrong")

    seen = _seen_with(viewer, "nocoord", _without_region, *steps)

    assert any("ReferencedSOPSequence" in line for line in seen.complaints)
    assert "ALN risk: " not in seen.texts["end"]


def test_a_long_line_is_seen_to_be_cut_off(viewer: Viewer) -> None:
    """A line of more than 28 characters beside a region runs out of the viewport, and the check sees it."""
    seen = _seen_with(viewer, "long-line", _with_a_long_line, Step("report", 900, until="73.12 %"))

    assert seen.clipped["report"]
