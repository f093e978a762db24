"""What a radiologist sees in OHIF of the objects that only some archives get, and of another language."""

import pytest

from tests.viewer import cases
from tests.viewer.test_ohif import (
    DISCLAIMER,
    LOADED,
    assert_shows,
    has_red_band,
    lines_of,
    look,
    pixels_like,
    text_step,
)
from tests.viewer.viewing import Step, Viewer

SEGMENT = (244, 153, 61)  # the outline that OHIF draws in the colour that a segment recommends
IN_GERMAN = "NICHT KLINISCH ANWENDEN"


@pytest.mark.slow
def test_report_in_reserve(viewer: Viewer) -> None:
    """Where no Comprehensive 3D SR is taken, the Comprehensive SR shows the same box, number and disclaimer."""
    case = cases.four_views("reserve", answers=[cases.builders.estimate("L", 0.7312)])
    files = case.files_for_an_old_archive
    assert case.of("sr:L").encoded not in files
    viewer.store(files)

    seen = viewer.look("reserve", case.studies, [LOADED, Step("report", 906, until="73.12 %")])

    assert (seen.complaints, seen.failed, seen.clipped) == ([], [], {})
    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert "L MLO" in seen.texts["report"]
    assert "S: 900" not in seen.pages["report"]


@pytest.mark.slow
def test_german_study(viewer: Viewer) -> None:
    """Text, heatmap and the study's list speak German; the coded report, and so the region's label, stays English."""
    answers = [cases.builders.estimate("L", 0.7312)]
    case = cases.four_views("german", answers=answers, composer=cases.GERMAN, PatientName="MÜSTER^GRÖßE")
    steps = Step("report", 900, until="73.12 %"), text_step(case), Step("heatmap", 903, until="v1 L Heatmap")

    seen = look(viewer, "german", case, *steps)

    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert f"AI ALN risk v1 L Bericht - {IN_GERMAN}" in seen.pages["load"]
    assert_shows(seen.texts["text"], lines_of(case.of("text_sr")))
    assert has_red_band(seen.shots["heatmap"])


@pytest.mark.slow
def test_segmentation_presentation_state_and_key_object(viewer: Viewer) -> None:
    """An MR study that holds all of them: the report is read as ever, the segmentation lies on its slice.

    OHIF lists a presentation state and a Key Object without opening them.
    """
    case = cases.dynamic_mr("mr-all", one_series=False, composer=cases.EVERYTHING)
    steps = (
        Step("report", 900, until="73.12 %"),
        Step("segmentation", 908, until="Do you want to open this Segmentation?"),
        Step("opened", click="Yes", until="(10/20)"),
    )

    seen = look(viewer, "mr-all", case, *steps)

    assert "ALN risk: 73.12 %" in seen.texts["report"]
    assert DISCLAIMER in seen.texts["report"]
    assert pixels_like(seen.shots["report"], SEGMENT) == 0
    assert pixels_like(seen.shots["opened"], SEGMENT) > 300
    assert all(f"AI ALN risk v1 {label}" in seen.pages["load"] for label in ("L annotation", "key images"))
