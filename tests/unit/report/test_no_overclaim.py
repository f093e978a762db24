"""Words and pictures say no more than the numbers, the maps and the names do."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.prediction import Category, Estimate, OperatingPoint, categorise
from agent.core.result import Kind, Result, SourceImage
from agent.dicom import codes
from agent.report import layout, strip, tree
from agent.report.capture import captures
from agent.report.catalogue import Language
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.figures import MOST_DIGITS, digits_between, exactly, rate, written
from agent.report.headline import headline
from agent.report.heatmap import caption
from agent.report.layout import font, shortened
from agent.report.masthead import masthead
from agent.report.summary import summary
from agent.report.words import Words
from tests import builders
from tests.unit.report import alone, scenes
from tests.unit.report.conftest import DEVICE, Read

ENGLISH, GERMAN = (Words.of("aln", language) for language in Language)
SHARES = st.floats(1e-7, 1 - 1e-7)
LONG = "radiomics_signature_of_the_primary_tumour_and_its_surroundings_v{}"


def given_points(probability: float, low: float, high: float, *thresholds: float) -> Estimate:
    """Return an estimate with its category at these thresholds."""
    points = tuple(OperatingPoint(n, t, 1.0, 0.0) for n, t in zip(("low", "high"), thresholds, strict=False))
    category = categorise(probability, points)
    return builders.estimate(probability=probability, low=low, high=high, category=category, points=points)


def said(read: Read) -> list[str]:
    """Return every sentence of the page."""
    return [str(i.TextValue) for i in tree.items(read["text_sr"]) if i.ValueType == "TEXT"]


# near a threshold


@given(SHARES, SHARES)
def test_a_number_is_told_from_the_threshold_that_it_misses(share: float, threshold: float) -> None:
    """As many digits as that takes, and no more."""
    digits = digits_between([share], [threshold])
    told = written(share, digits=digits) != exactly(threshold, digits=digits)
    assert told or digits == MOST_DIGITS or share == threshold
    assert digits == 1 or round(100 * share, digits - 1) == round(100 * threshold, digits - 1)


@pytest.mark.parametrize(
    ("probability", "number", "bound"),
    [
        (0.0999, "9.99", "LOW, below the threshold of 10.00 %"),
        (0.0999999, "9.99999", "LOW, below the threshold of 10.00000 %"),
        (0.1, "10.0", "NOT LOW, between the thresholds of 10.0 % and 60.0 %"),
        (0.6001, "60.01", "HIGH, at or above the threshold of 60.00 %"),
    ],
)
def test_category_and_number_agree_to_the_eye(probability: float, number: str, bound: str) -> None:
    """In the sentences, and in the picture the same number."""
    estimate = given_points(probability, probability, probability, 0.1, 0.6)
    assert f" {number} % (" in ENGLISH.answer(estimate)
    assert ENGLISH.explained(estimate, estimate.points) == f"LEFT axilla: {bound}."
    assert ENGLISH.probability(estimate) == number


def test_picture_has_the_digits_of_the_text(mlo: SourceImage) -> None:
    """9.99 %, not 10.0 %: its row is another one, and so is the row of the thresholds."""
    bands = []
    for probability in (0.0999, 0.1):
        result = builders.result([builders.estimate(probability=probability, category=Category.LOW)], [mlo])
        draft = Draft.of(result, [mlo], DEVICE)
        title, _, scale = headline(draft, draft.ranked[0])
        bands.append((np.asarray(title), np.asarray(scale)[:30]))
    assert not np.array_equal(bands[0][0], bands[1][0])
    assert not np.array_equal(bands[0][1], bands[1][1])


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.1, "10.0"), (0.0003, "0.03"), (0.0005, "0.05"), (0.9995, "99.95"), (0, "0.0"), (1, "100.0")],
)
def test_a_threshold_is_never_a_bound(share: float, text: str) -> None:
    """Somebody chose it: "below the threshold of < 0.1 %" would be no sentence."""
    assert exactly(share) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(1.0, 2, "> 0.99"), (0.996, 2, "> 0.99"), (0.0, 2, "< 0.01"), (1.0, 3, "> 0.999"), (0.95, 2, "0.95")],
)
def test_nothing_counted_on_patients_is_certain(share: float, digits: int, text: str) -> None:
    """Of 38 positives that were all found the sensitivity is not 1."""
    assert rate(share, digits) == text


def test_performance_and_worth_are_bounds_at_the_ends() -> None:
    """Sensitivity, specificity, NPV and PPV."""
    point = OperatingPoint("low", 0.1, 1.0, 0.002)
    (achieved,) = ENGLISH.performance(builders.estimate(), [point])
    assert "sensitivity > 0.99 and specificity < 0.01" in achieved
    (worth,) = GERMAN.at_prevalence(builders.estimate(), [point], 0.0004)
    assert "Prävalenz des Standorts von 0,04 %" in worth
    assert "NPW von > 0,999 und einen PPW von < 0,001" in worth


@pytest.mark.parametrize(
    ("estimate", "conclusion"),
    [
        (
            given_points(0.04, 0.0, 1.0, 0.1),
            "LEFT axilla: estimated risk is LOW, 4.0 %, but its 95 % interval, < 0.1 to > 99.9 %, reaches above the "
            "threshold of 10.0 %.",
        ),
        (
            given_points(0.65, 0.2, 0.9, 0.1, 0.6),
            "LEFT axilla: estimated risk is HIGH, 65.0 %, but its 95 % interval, 20.0 to 90.0 %, reaches below the "
            "threshold of 60.0 %.",
        ),
        (given_points(0.04, 0.01, 0.09, 0.1), "LEFT axilla: estimated risk is LOW."),
        (given_points(0.65, 0.6, 0.9, 0.1, 0.6), "LEFT axilla: estimated risk is HIGH."),
        (given_points(0.3, 0.0, 1.0, 0.1, 0.6), "LEFT axilla: estimated risk is NOT LOW."),
    ],
)
def test_conclusion_says_where_its_interval_reaches(estimate: Estimate, conclusion: str) -> None:
    """Beyond the threshold that made the category; else it stays plain."""
    assert ENGLISH.conclusion(estimate) == conclusion


def test_an_interval_beyond_what_is_printed_is_one_bound() -> None:
    """Not "< 0.1 to < 0.1 %"."""
    assert ENGLISH.interval(given_points(1e-5, 0, 2e-4, 0.1)) == "below 0.1"
    assert GERMAN.interval(given_points(1 - 1e-5, 1 - 2e-4, 1, 0.1)) == "über 99,9"


def test_a_slide_has_a_probability(mlo: SourceImage) -> None:
    """What is on a slide is no risk."""
    answer = builders.estimate(probability=0.3)
    assert Words.of("histology").conclusion(answer) == "LEFT axilla: estimated probability is NOT LOW."
    german = Words.of("histology", Language.GERMAN).conclusion(answer)
    assert german == "Axilla links: Die geschätzte Wahrscheinlichkeit ist NICHT NIEDRIG."


# maps


@pytest.mark.parametrize(
    ("level", "is_mapped", "words", "sentence"),
    [
        (0.0, True, "No region stands out in this image", "No region stands out in 1 mammogram."),
        (0.1, True, "No region stands out in this image", "No region stands out in 1 mammogram."),
        (0.0, False, "The model gave no usable map of this image", "The model gave no usable map of 1 mammogram."),
    ],
)
def test_a_map_without_colour_claims_no_influence(
    mlo: SourceImage, level: float, words: str, sentence: str, *, is_mapped: bool
) -> None:
    """The picture says so, the evidence says why there is no SR, and no Key Object recommends the image."""
    flat = builders.influence(mlo, saliency_hw=np.full(mlo.image_hw.shape, level, np.float32))
    flat = replace(flat, is_mapped=is_mapped)
    result = builders.result(None, [mlo], [flat])
    read = Read(Composer(DEVICE, kinds=Kind)(result, [mlo]))
    assert read.roles == ["text_sr", "secondary_capture::1", "secondary_capture:L:1"]
    assert ENGLISH.effect(flat, 1.2) == words
    assert sentence in said(read)
    assert "LEFT axilla: no coded report, as that marks a region and none stands out." in said(read)


def test_an_image_without_a_region_leaves_the_others_theirs(views: Sequence[SourceImage]) -> None:
    """The SR lies on the other image, which alone is recommended; the axilla has its coded report."""
    flat = builders.influence(views[0], contribution=0.9, saliency_hw=np.zeros(views[0].image_hw.shape, np.float32))
    result = builders.result(None, views[:2], [flat, builders.influence(views[1])])
    read = Read(Composer(DEVICE, kinds=Kind)(result, views[:2]))
    assert "sr:L" in read.roles
    assert "No region stands out in 1 mammogram." in said(read)
    assert not any("no coded report" in text for text in said(read))
    (key,) = (ds for role, ds in read.by_role.items() if role.startswith("key_object"))
    named = {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in tree.items(key) if i.ValueType == "IMAGE"}
    assert views[1].instance.sop_instance_uid in named
    assert views[0].instance.sop_instance_uid not in named


# numbers in the coded report


def test_log_odds_have_their_unit(mlo: SourceImage) -> None:
    """Starting point, contributions and the shift of the prevalence; a sensitivity has none."""
    result = builders.result(None, [mlo], site_prevalence=0.25)
    items = [i for i in tree.items(alone.reports(result, [mlo])["sr:L"]) if i.ValueType == "NUM"]
    units: dict[str, set[str]] = {}
    for item in items:
        units.setdefault(str(item.ConceptNameCodeSequence[0].CodeMeaning), set()).add(tree.unit(item))
    log_odds = (codes.STARTING_POINT, codes.LOG_ODDS_SHIFT, *(codes.CONTRIBUTION_OF[n] for n in ("clinical", "MG")))
    assert {concept.meaning: units[concept.meaning] for concept in log_odds} == {
        concept.meaning: {"{logit}"} for concept in log_odds
    }
    assert units[codes.SENSITIVITY.meaning] == {"1"}


# names


def caption_of(image: SourceImage, among: Sequence[SourceImage], words: Words = ENGLISH) -> str:
    """Return the caption of an image beside the others of its result."""
    draft = Draft.of(builders.result(None, among), among, DEVICE)
    source = next(s for s in draft.sources if s.instance == image.instance)
    return caption(words, source, "L", draft.sources)


def test_a_clip_is_captioned_with_its_frame() -> None:
    """A reader finds the frame that had influence."""
    clip = scenes.source(scenes.ultrasound(), frame=8, frames=12)
    assert caption_of(clip, [clip]) == "Ultrasound, left breast, series 2, image 1, frame 8"
    still = scenes.source(scenes.ultrasound(), frame=0)
    assert caption_of(still, [still]) == "Ultrasound, left breast, series 2, image 1"


def test_two_views_of_a_kind_are_told_apart() -> None:
    """By series and image, and an earlier study's by that; one alone needs no number."""

    def view(name: str, **more: Any) -> SourceImage:
        return builders.source_image(builders.mammogram(SOPInstanceUID=builders.uid(name), SeriesNumber=3, **more))

    one, other = view("one", InstanceNumber=1), view("other", InstanceNumber=2)
    old = view("old", InstanceNumber=1, study="old", day=date(2024, 1, 5))
    assert caption_of(one, [one]) == "Mammogram, left MLO"
    assert caption_of(one, [one, other]) == "Mammogram, left MLO, series 3, image 1"
    assert caption_of(other, [one, other]) == "Mammogram, left MLO, series 3, image 2"
    assert caption_of(old, [one, old]) == "Mammogram, left MLO, earlier study, series 3, image 1"
    assert caption_of(old, [one, old], GERMAN) == "Mammogramm, MLO links, frühere Untersuchung, Serie 3, Bild 1"
    cc = builders.source_image(builders.mammogram(view="CC"))
    assert caption_of(one, [one, cc]) == "Mammogram, left MLO"


def named(*inputs: str) -> dict[str, float]:
    """Return contributions of inputs."""
    return {"prior": -1.0, "clinical": 0.4, **dict.fromkeys(inputs, 0.3)}


def test_inputs_of_other_names_are_told_apart(mlo: SourceImage) -> None:
    """Each by the bundle's own name, cleaned; a name that is also a word of ours is not translated."""
    inputs = ("radiomics_MG", "genes\n v2", "low")
    result = builders.result([builders.estimate(contributions=named(*inputs))], [mlo])
    found = [str(i.TextValue) for i in tree.items(alone.page(result, [mlo])) if i.ValueType == "TEXT"]
    for name in ("radiomics MG", "genes v2", "low"):
        assert f"LEFT axilla: {name} raised the estimate, odds x 1.3 (log-odds +0.30)." in found
    assert GERMAN.modality("low") == "low"
    assert len(ENGLISH.modality("x" * 500)) <= 121


def test_long_names_stay_in_the_picture(mlo: SourceImage) -> None:
    """Neither an input's nor the model's runs out at an edge; their ends, which differ, are kept."""
    answer = builders.estimate(contributions=named(*map(LONG.format, range(3))))
    model = replace(builders.MODEL, name=LONG.format(1) * 2, version="2026.11.21")
    result = builders.result([answer], [mlo], model=model)
    draft = Draft.of(result, [mlo], DEVICE)
    bars, top = np.asarray(strip.strip(ENGLISH, result, answer)), np.asarray(masthead(draft))
    rows = [bars[strip.ROW * n : strip.ROW * (n + 1), : strip.NAMES + 1] for n in (2, 3, 4)]
    assert not any(row[:, : layout.MARGIN - 2].any() for row in rows)
    assert all(row.any() for row in rows)
    assert not np.array_equal(rows[0], rows[1])
    assert not top[:, -layout.MARGIN + 2 :].any()
    assert f"model {model.name} 2026.11.21" in ENGLISH.made_by("S", "1", result)


@given(st.text("abc_ ", max_size=300), st.integers(30, 600))
def test_a_shortened_text_has_room_and_keeps_its_end(text: str, room: int) -> None:
    """Where it had room already it stays."""
    short = shortened(text, room)
    assert font(layout.SMALLEST).getlength(short) <= room
    assert short == text or ("…" in short and text.startswith(short.partition("…")[0]))
    assert short == text or text.endswith(short.partition("…")[2])


def many_inputs(views: Sequence[SourceImage], missing: tuple[str, ...]) -> Result:
    """Return a result of two axillae and more bars than a picture has room for."""
    inputs = named(*(f"in{n}" for n in range(14)))
    answers = [builders.estimate("L", contributions=inputs), builders.estimate("R", 0.3, contributions=inputs)]
    absent = tuple(f"The left V{n} did not arrive." for n in range(9))
    return builders.result(answers, views, modalities_missing=missing, evidence=absent)


def test_what_is_missing_is_said_however_many_bars_there_are(
    views: Sequence[SourceImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is left to the text report first."""
    drawn: list[str] = []
    paragraph = layout.paragraph

    def noted(lines: Sequence[layout.Line]) -> Any:
        drawn[:] = [line.text for line in lines]
        return paragraph(lines)

    draft = Draft.of(many_inputs(views, ("US", "MR")), views, DEVICE)
    assert summary(draft).height > 1800
    monkeypatch.setattr("agent.report.summary.closing", lambda _: [])
    monkeypatch.setattr("agent.report.summary.paragraph", noted)
    summary(draft)
    assert drawn == ["Not available: ultrasound, MRI.", "More is said in the text report."]


def test_facts_of_one_marker_have_two_names() -> None:
    """Positive or not, and how many cells: "ER, ER (%)"."""
    assert ENGLISH.facts(("er", "pr", "er_percent", "pr_percent")) == "ER, PR, ER (%), PR (%)"
    assert GERMAN.fact("er_percent") == "ER (%)"


def test_days_are_written_as_the_language_does() -> None:
    """Within sentences of other rooms; a number that only looks like a day stays."""
    sentence = "the MR study of 2026-01-05 [2026-13-45]"
    assert "05.01.2026" in GERMAN.stored(sentence) and "2026-13-45" in GERMAN.stored(sentence)
    assert "2026-01-05" in ENGLISH.stored(sentence)


def test_captures_of_a_flat_map_keep_every_rule(mlo: SourceImage) -> None:
    """The picture of an image without a region is the same but for words and colour."""
    flat = builders.influence(mlo, saliency_hw=np.zeros(mlo.image_hw.shape, np.float32))
    sizes = {
        captures(Draft.of(builders.result(None, [mlo], [one]), [mlo], DEVICE))[1].finished.ds.Rows
        for one in (flat, builders.influence(mlo))
    }
    assert len(sizes) == 1
