"""Headers as scanners write them, and kinds of objects that cannot be made: the answer is sent all the same."""

from collections.abc import Mapping

import pytest
from pydicom import config

from agent.core.errors import Permanent
from agent.core.result import Kind, Result, SourceImage
from agent.report import compose
from agent.report.draft import Draft
from agent.report.slot import Finished
from agent.report.source_header import Headers
from tests import builders
from tests.unit.report import alone, overlays, scenes
from tests.unit.report.conftest import DEVICE

COMPOSER = compose.Composer(DEVICE, kinds=Kind)  # what was made before something is exchanged is no answer here
STATE, SEGMENTATION = "presentation_state:L:1", "segmentation:L:1"
LONG = "0.39062500000000001"
LONG_VALUES: list[dict[str, object]] = [
    {"PixelSpacing": [LONG, LONG]},
    {"PixelSpacing": ["0.0939999967813491"] * 2},
    {"WindowCenter": "1234.5678901234567", "WindowWidth": "2345.6789012345678"},
    {"WindowCenter": [LONG, "40"], "WindowWidth": ["600.00000000000001", "400"]},
    {"RescaleSlope": "0.12345678901234567", "RescaleIntercept": "-10.000000000000001"},
    {"ImageOrientationPatient": ["0.999999999999999999", "0", "0", "0", "1.0000000000000000001", "0"]},
    {"ImagePositionPatient": ["-123.45678901234567", "0", "0"]},
    {"SliceThickness": "1.00000000000000001"},
]


def as_a_scanner_writes(
    given: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> tuple[Result, list[SourceImage]]:
    """Return a result on a slice whose header holds values that pydicom would refuse to write."""
    with monkeypatch.context() as patch:
        patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
        return scenes.mr_alone(**(overlays.PLACED | dict(given)))


@pytest.mark.parametrize("given", LONG_VALUES, ids=lambda given: "+".join(given))
def test_numbers_of_too_many_letters_are_written_anew(
    given: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many scanners write them; they are the same numbers, to what sixteen letters can say."""
    objects = alone.overlaid(*as_a_scanner_writes(given, monkeypatch))
    assert {STATE, SEGMENTATION} == set(objects)
    ds = objects[STATE]
    if "PixelSpacing" in given:
        (wanted, _) = given["PixelSpacing"]  # type: ignore[misc]
        (item,) = ds.DisplayedAreaSelectionSequence
        assert [float(one) for one in item.PresentationPixelSpacing] == pytest.approx([float(wanted)] * 2, rel=1e-9)
    if "RescaleSlope" in given:
        assert (float(ds.RescaleSlope), float(ds.RescaleIntercept)) == pytest.approx((0.12345678901234567, -10))


def test_numbers_that_fit_stay_letter_by_letter() -> None:
    """Only what is too long is rewritten."""
    objects = alone.overlaid(*scenes.mr_alone(**(overlays.PLACED | {"PixelSpacing": ["0.50", "0.50"]})))
    spacing = objects[STATE].DisplayedAreaSelectionSequence[0].PresentationPixelSpacing
    assert [one.original_string for one in spacing] == ["0.50", "0.50"]


def test_no_number_stays_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An infinite window is none: the image leaves it to the viewer, and has no presentation state."""
    given = {"WindowCenter": "infinity", "WindowWidth": "600"}
    assert STATE not in alone.overlaid(*as_a_scanner_writes(given, monkeypatch))


def spoilt(draft: Draft, headers: Headers) -> list[Finished]:
    """Make presentation states that break a rule of the gate."""
    made = presentation_states(draft, headers)
    del made[-1].ds.ContentLabel
    return made


def refused(draft: Draft, headers: Headers) -> list[Finished]:
    """Fail as a library does, with a value of the header in its message."""
    raise ValueError("CANARY")


presentation_states = compose.presentation_states


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (spoilt, f"{STATE} breaks the rule required_attributes_are_present: ContentLabel"),
        (refused, "ValueError while it was made"),
    ],
)
def test_a_kind_that_cannot_be_made_is_left_out(monkeypatch: pytest.MonkeyPatch, broken: object, reason: str) -> None:
    """The others are the same, byte by byte, and somebody is told; no value of a header is."""
    given = overlays.slices()
    whole = COMPOSER(*given)
    monkeypatch.setattr(compose, "presentation_states", broken)
    told: list[tuple[Kind, str]] = []
    made = COMPOSER(*given, lambda kind, why: told.append((kind, why)))
    assert told == [(Kind.PRESENTATION_STATE, reason)]
    assert list(made) == [one for one in whole if one.kind is not Kind.PRESENTATION_STATE]
    assert COMPOSER(*given) == made


@pytest.mark.parametrize("name", ["text_report", "rejections"])
def test_what_every_result_has_stops_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The gate is as strict as before for SR, page and captures, and for what rejects an earlier version."""
    result, images = overlays.slices()
    later = overlays.second(result, images)
    make = getattr(compose, name)

    def broken(draft: Draft) -> object:
        made = make(draft)
        for one in made if isinstance(made, list) else [made]:
            one.ds.SeriesDescription = "AI"
        return made

    monkeypatch.setattr(compose, name, broken)
    with pytest.raises(Permanent, match="version_is_advertised"):
        COMPOSER(later if name == "rejections" else result, images)


def test_mammograms_of_real_spacing_have_a_state() -> None:
    """As found in public collections."""
    ds = builders.mammogram("L", "CC")
    ds.PixelSpacing = [0.0939999967813491] * 2
    image = builders.source_image(ds)
    assert STATE in alone.overlaid(builders.result(None, [image]), [image])
