"""Secondary Captures: what is in the picture, and what must not be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from agent.core.prediction import NoEstimate, Side
from agent.core.result import Result, SourceImage
from agent.report import headline as headline_of
from agent.report import layout, masthead, strip
from agent.report.catalogue import Language
from agent.report.colour import OPACITY, PALETTE
from agent.report.compose import Composer
from agent.report.draft import Draft
from agent.report.headline import headline
from agent.report.layout import Line, banner, paragraph, wrapped
from agent.report.summary import MOST, summary
from agent.report.words import DISCLAIMER, Words
from tests import builders
from tests.unit.report import alone, overlays
from tests.unit.report.conftest import DEVICE, Read, colourfulness

WORDS = Words.of("aln")
ROLE = "secondary_capture:L:1"
TOP = 464  # of the panels: banner, masthead, answer, scale and captions stand above


def panels(ds: Dataset, shape: tuple[int, int], top: int = TOP) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return overlay and source image as they stand in a picture; `shape` is what is shown of the source."""
    pixels = ds.pixel_array
    assert pixels.shape[1] == layout.WIDTH
    height, width = (round(side * scale_of(shape)) for side in shape)
    lefts = [middle - width // 2 for middle in (300, 900)]
    overlay, source = (pixels[top : top + height, left : left + width] for left in lefts)
    return overlay, source


def scale_of(shape: tuple[int, int]) -> float:
    """Return how much an image is enlarged: until it is 596 wide or 640 high."""
    return min(640 / shape[0], 596 / shape[1])


def test_attributes_are_those_of_a_capture(objects: Read, mlo: SourceImage) -> None:
    """Everything that viewers go by, and nothing that anyone could measure with."""
    ds = objects[ROLE]
    assert (ds.Modality, ds.ConversionType, list(ds.ImageType)) == ("OT", "WSD", ["DERIVED", "SECONDARY"])
    assert (ds.BurnedInAnnotation, ds.RecognizableVisualFeatures) == ("NO", "NO")
    assert (ds.ImageLaterality, list(ds.PatientOrientation), ds.BodyPartExamined) == ("L", ["A", "FR"], "BREAST")
    assert ds.SeriesDescription == "AI ALN risk v1 L heatmap - NOT FOR CLINICAL USE"
    source = ds.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == mlo.instance.sop_instance_uid
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert source.SpatialLocationsPreserved == "NO"
    assert DISCLAIMER in ds.DerivationDescription
    for keyword in ("FrameOfReferenceUID", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient", "Laterality"):
        assert keyword not in ds


def test_source_stands_at_the_right_unchanged(objects: Read, mlo: SourceImage) -> None:
    """The right panel is the source image, resized and grey."""
    _, source = panels(objects[ROLE], mlo.image_hw.shape)
    wanted = np.asarray(Image.fromarray(mlo.image_hw).resize(source.shape[1::-1], Image.Resampling.BILINEAR))
    assert colourfulness(source).max() == 0
    assert np.abs(source[..., 0].astype(int) - wanted).max() <= 1


def test_influence_lands_on_its_target(objects: Read, mlo: SourceImage) -> None:
    """The overlay's colour is strongest at the off-centre target and nowhere else."""
    overlay, source = panels(objects[ROLE], mlo.image_hw.shape)
    scale = scale_of(mlo.image_hw.shape)
    coloured = colourfulness(overlay) > 60
    rows, columns = np.nonzero(coloured)
    assert rows.mean() / scale == pytest.approx(42, abs=1.5)
    assert columns.mean() / scale == pytest.approx(28, abs=1.5)
    far = np.hypot(*(np.indices(coloured.shape) - scale * np.array([42, 28])[:, None, None])) > scale * 25
    assert np.array_equal(overlay[far], source[far])


def test_right_breast_is_not_mirrored(bilateral: Read, views: Sequence[SourceImage]) -> None:
    """Chest wall and influence stay on the side on which the source image has them."""
    overlay, _ = panels(bilateral["secondary_capture:R:1"], views[3].image_hw.shape)
    columns = np.nonzero(colourfulness(overlay) > 60)[1]
    assert columns.mean() > 0.8 * overlay.shape[1]


def test_monochrome1_is_shown_as_people_read_it() -> None:
    """The display pixels are in MONOCHROME2 sense already; nothing is inverted again."""
    ds = builders.mammogram(PhotometricInterpretation="MONOCHROME1")
    image = builders.source_image(ds)
    objects = alone.pictures(builders.result(None, [image]), [image])
    _, source = panels(objects[ROLE], image.image_hw.shape)
    assert source[-40:, -40:].mean() == pytest.approx(image.image_hw[-17:, -17:].mean(), abs=2)
    assert objects[ROLE].PhotometricInterpretation == "RGB"


def test_pixels_hold_nothing_of_the_patient() -> None:
    """Another name, number, date and description give the same picture."""
    made = []
    for more in (
        {},
        {
            "PatientName": "SECRET^NAME",
            "PatientBirthDate": "19310203",
            "AccessionNumber": "A-77",
            "SeriesDescription": "SECRET NAME L MLO",
            "StudyDate": "20250101",
            "InstitutionName": "X",
        },
    ):
        image = builders.source_image(builders.mammogram(**more))
        made.append(alone.pictures(builders.result(None, [image]), [image]))
    assert np.array_equal(made[0][ROLE].pixel_array, made[1][ROLE].pixel_array)
    assert made[1][ROLE].PatientName == "SECRET^NAME"


def test_disclaimer_stands_above_and_below(objects: Read) -> None:
    """Both bands equal a rendered reference, whatever a viewer lays over one of them."""
    pixels, band = objects[ROLE].pixel_array, np.asarray(banner(DISCLAIMER))
    assert np.array_equal(pixels[: len(band)], band)
    assert np.array_equal(pixels[-len(band) :], band)
    assert tuple(band[0, 0]) == layout.RED
    assert (band == 255).all(axis=2).sum() > 500  # letters


@pytest.mark.parametrize("change", ["probability", "side", "model", "missing", "version", "demonstration"])
def test_every_word_is_in_the_picture(views: Sequence[SourceImage], left: Result, change: str) -> None:
    """Another probability, side, model, missing input, version or intended use changes the words around the image."""
    right = builders.result([builders.estimate("R")], [views[3]])
    changed = {
        "probability": replace(left, answers=(builders.estimate(probability=0.6312),)),
        "side": right,
        "model": replace(left, model=replace(builders.MODEL, version="1.0.1")),
        "missing": replace(left, modalities_missing=("US",)),
        "version": replace(left, version=2),
        "demonstration": replace(left, model=builders.DEMONSTRATION_MODEL),
    }[change]
    bands = []
    for result in (left, changed):
        objects = alone.pictures(result, views)
        pixels = objects[next(role for role in objects if role[-2:] == ":1" and "::" not in role)].pixel_array
        bands.append(pixels[160 : TOP - 52] if change in ("probability", "side") else pixels[TOP + 640 :])
    assert not np.array_equal(*bands)


def test_large_mammogram_makes_a_capture_of_moderate_size(composer: Composer) -> None:
    """A full-field image fills the panels without exceeding them."""
    image = builders.source_image(builders.mammogram(rows=3328, columns=2560), reduce_by=2)
    objects = Read(composer(builders.result(None, [image]), [image]))
    ds = objects[ROLE]
    assert ds.Columns == 1200
    assert len(objects.objects[-1].encoded) < 5_800_000
    assert panels(ds, (3328, 2560))[1][320].max() > 60  # the breast is there


def test_summary_says_the_answer_in_words(mlo: SourceImage) -> None:
    """No estimate: one picture, of the answer's side, in the study, that says why; another reason, another picture."""
    made = [
        alone.pictures(builders.result([NoEstimate(Side.L, reason)], [mlo]), [mlo])["secondary_capture::1"]
        for reason in ("no facts", "the images differ from those the model was trained on " * 4)
    ]
    assert made[0].ImageLaterality == "L"
    assert made[0].SeriesDescription == "AI ALN risk v1 L summary - NOT FOR CLINICAL USE"
    assert "SourceImageSequence" not in made[0]
    assert made[0].Rows < made[1].Rows
    assert made[0].Columns == made[1].Columns == layout.WIDTH


def test_summary_is_no_higher_than_is_legible(views: Sequence[SourceImage]) -> None:
    """With two axillae and more to say than there is room for it ends by saying where the rest is."""
    missing = tuple(f"The left V{n} did not arrive." for n in range(60))
    answers = [builders.estimate("L", 0.04), builders.estimate("R")]
    few, many = (builders.result(answers, views, evidence=evidence) for evidence in (missing[:2], missing))
    heights = [summary(Draft.of(result, views, DEVICE)).height for result in (few, many)]
    assert heights[0] < heights[1] <= MOST


def test_summary_says_what_is_not_here_without_a_date(mlo: SourceImage) -> None:
    """Of a study's count the numbers alone; another hour or day is the same picture, another number is not."""
    said = "{} of 4 instances of the MG study of {} are here, by the PACS's count at 2026-01-06 09:{} UTC."
    pictures = [
        np.asarray(summary(Draft.of(builders.result(None, [mlo], evidence=(said.format(*of),)), [mlo], DEVICE)))
        for of in ((3, "2026-01-05", 20), (3, "2025-02-03", 40), (2, "2026-01-05", 20), (4, "2026-01-05", 20))
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
    assert pictures[3].shape[0] < pictures[0].shape[0]


def test_summary_says_no_influence_only_where_there_was_none(mlo: SourceImage) -> None:
    """One line more where no image moved the estimate."""
    heights = [
        summary(Draft.of(builders.result(None, [mlo], influences), [mlo], DEVICE)).height for influences in (None, [])
    ]
    assert heights[1] == heights[0] + paragraph([Line("x")]).height


def test_summary_without_estimate_says_what_was_received(views: Sequence[SourceImage]) -> None:
    """Every image counts, used or not; an answer without a number draws no scale and no bar."""
    answer = [NoEstimate(Side.L, "no facts")]
    one, four = (
        np.asarray(summary(Draft.of(builders.result(answer, [], used=()), images, DEVICE)))
        for images in (views[:1], views)
    )
    assert not np.array_equal(one, four)
    for colour in (strip.RAISES, strip.LOWERS):
        assert not (four == colour).all(axis=2).any()
    assert (four == layout.DIM).all(axis=2).sum(axis=1).max() < 100


def test_middle_below_the_banner_is_empty(views: Sequence[SourceImage]) -> None:
    """Viewers lay their controls there: no pixel of it is lit, however long the words beside it are."""
    long = replace(builders.DEMONSTRATION_MODEL, name="a-model-of-a-rather-long-name", version="2026.11.21")
    result = builders.result(None, views, version=3, predecessors={"text_sr": overlays.elsewhere("old")}, model=long)
    pixels = np.asarray(summary(Draft.of(result, views, DEVICE, language=Language.GERMAN)))
    band, half = pixels[layout.BANNER : layout.BANNER + masthead.HEIGHT], masthead.FREE // 2
    middle = layout.WIDTH // 2
    assert not band[:, middle - half + 1 : middle + half].any()
    assert (band[:, : middle - half] == layout.ORANGE).all(axis=2).any()
    assert band[:, middle + half :].any()
    assert not band[:, :4].any()
    assert not band[:, -4:].any()


def test_close_thresholds_lean_apart() -> None:
    """Their values are both written, side by side, where there is no room for each above its stroke."""
    rows = []
    for high in (0.6, 0.12):
        points = (builders.POINTS[0], replace(builders.POINTS[1], threshold=high))
        image = builders.source_image()
        draft = Draft.of(builders.result(None, [image], operating_points=points), [image], DEVICE)
        rows.append(np.asarray(headline(draft, draft.ranked[0])[2])[: headline_of.BOUNDS - 8].max(axis=(0, 2)))
    lit = [np.flatnonzero(row > 100) for row in rows]
    assert np.ptp(lit[1]) < np.ptp(lit[0])
    assert lit[1].size > 0.8 * lit[0].size


@pytest.mark.parametrize("sides", [(Side.L, Side.R), (None,)])
def test_summary_of_no_single_side_is_of_both(mlo: SourceImage, sides: tuple[Side | None, ...]) -> None:
    """Two answers share one picture; where the side of the only answer is unknown it is of neither."""
    answers = [NoEstimate(side, "no facts") for side in sides]
    ds = alone.pictures(builders.result(answers, [mlo]), [mlo])["secondary_capture::1"]
    assert ds.ImageLaterality == "B"
    assert ds.SeriesDescription == "AI ALN risk v1 summary - NOT FOR CLINICAL USE"


def test_each_axilla_has_its_own_series_of_heatmaps(bilateral: Read) -> None:
    """No viewer shows the right axilla's number below the left one's name; numbers run within a series."""
    captures = {
        role: bilateral[role]
        for role in bilateral.roles
        if role.startswith(("secondary_capture:L", "secondary_capture:R"))
    }
    series = {role: (str(ds.SeriesInstanceUID), ds.SeriesDescription[:16]) for role, ds in captures.items()}
    assert len(set(series.values())) == len({uid for uid, _ in series.values()}) == 2
    assert {(role.split(":")[1], said[-1]) for role, (_, said) in series.items()} == {("L", "L"), ("R", "R")}
    assert [ds.InstanceNumber for ds in captures.values()] == [1, 2, 1, 2]


def test_series_numbers_are_unique_within_a_version(
    composer: Composer, views: Sequence[SourceImage], mlo: SourceImage
) -> None:
    """Twenty a version have room for all; the higher risk has the lower numbers, the next version the next twenty."""
    answers = [builders.estimate("L", 0.042), builders.estimate("R", 0.7312)]
    refusing = builders.result([builders.estimate(), NoEstimate(Side.R, "no facts")], [mlo])
    numbers = [
        {ds.SeriesInstanceUID: (ds.SeriesDescription[12:].split(" - ")[0], int(ds.SeriesNumber)) for ds in made}
        for result in (builders.result(answers, views), builders.result(answers, views, version=2), refusing)
        for made in [Read(composer(result, views)).by_role.values()]
    ]
    named = [sorted(of.values(), key=lambda pair: pair[1]) for of in numbers]
    both = [
        *(("R report", 0), ("summary", 1), ("text", 2), ("R heatmap", 3), ("L report", 4), ("L heatmap", 5)),
        *(("R report, 2D", 6), ("L report, 2D", 7)),
    ]
    assert named[0] == [(f"v1 {label}", 900 + n) for label, n in both]
    assert named[1] == [(f"v2 {label}", 920 + n) for label, n in both]
    one = [("L report", 0), ("summary", 1), ("text", 2), ("L heatmap", 3), ("L report, 2D", 6)]
    assert named[2] == [(f"v1 {label}", 900 + n) for label, n in one]


@pytest.mark.parametrize("columns", [301, 1101])
def test_pixel_data_is_of_even_length(columns: int) -> None:
    """An odd source makes no odd picture: Pixel Data needs an even number of bytes (PS3.5 7.1.1)."""
    image = builders.source_image(builders.mammogram(rows=351, columns=columns))
    ds = alone.pictures(builders.result(None, [image]), [image])[ROLE]
    assert len(ds.PixelData) == ds.Rows * ds.Columns * 3
    assert len(ds.PixelData) % 2 == 0


def test_long_lines_are_broken_between_words() -> None:
    """No line is wider than the picture; no word is lost."""
    text = "the images differ from those the model was trained on " * 5
    lines = wrapped(text.strip(), 600, 20)
    assert " ".join(lines) == text.strip()
    assert all(layout.font(20).getlength(line) <= 600 for line in lines)
    assert paragraph([Line(text)]).height > paragraph([Line("short")]).height
    assert wrapped("Unbreakable" * 20, 50, 20) == ["Unbreakable" * 20]


def test_colours_are_uniform_to_the_eye() -> None:
    """The scale gets lighter all the way, so that it reads in grey, too; faint influence is not drawn."""
    rgb = np.frombuffer(PALETTE, np.uint8).reshape(256, 3)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luma) >= -0.5).all()
    assert OPACITY[0] == OPACITY[30] == 0
    assert 0 < max(OPACITY) <= 0.4 * 255
    assert list(OPACITY) == sorted(OPACITY)


def test_caption_gives_no_direction_against_its_bar(mlo: SourceImage) -> None:
    """An image whose part has the other sign than its modality's bar is captioned like one that did next to nothing."""
    with_bar, against, hardly = (
        alone.pictures(builders.result(None, [mlo], [builders.influence(mlo, contribution=c)]), [mlo])[ROLE].pixel_array
        for c in (0.6, -0.6, 0.05)
    )
    caption = slice(TOP - 52, TOP), slice(0, 600)
    assert np.array_equal(against[caption], hardly[caption])
    assert not np.array_equal(against[caption], with_bar[caption])


def bar_length(of: dict[str, float]) -> int:
    """Return the pixels of the first input's bar in the strip of an estimate with these contributions."""
    answer = builders.estimate(contributions={"prior": 0.0, **of})
    picture = np.asarray(strip.strip(WORDS, builders.result([answer], [], modalities_missing=()), answer))
    return int((picture[strip.ROW + strip.ROW // 2] == strip.RAISES).all(axis=1).sum())


def test_bars_of_two_pictures_can_be_compared() -> None:
    """A contribution is as long whatever stands beside it, up to odds x 12; beyond, the longest bar fills its half."""
    alone, beside = bar_length({"clinical": 0.5}), bar_length({"clinical": 0.5, "SM": 2.5})
    assert alone == beside == round(strip.HALF * 0.5 / 2.5) + 1
    assert bar_length({"clinical": 5.0}) == strip.HALF + 1
    assert bar_length({"clinical": 0.5, "SM": 5.0}) == strip.HALF // 10 + 1


def test_tissue_is_seen_below_the_strongest_influence(mlo: SourceImage) -> None:
    """What is brighter in the source is as much brighter, but for two fifths, below the overlay."""
    everywhere = np.ones(mlo.image_hw.shape, np.float32)
    result = builders.result(None, [mlo], [builders.influence(mlo, saliency_hw=everywhere)])
    overlay, source = panels(alone.pictures(result, [mlo])[ROLE], mlo.image_hw.shape)
    wanted = 0.6 * source + 0.4 * np.frombuffer(PALETTE, np.uint8)[-3:]
    assert np.abs(overlay - wanted).max() <= 1.5


def test_legend_has_the_colours_of_the_overlay() -> None:
    """The end of the scale is the strongest influence over middle grey, its beginning no influence."""
    row = np.asarray(layout.legend(WORDS))[layout.SMALL].astype(int)
    strongest = 0.6 * layout.TISSUE + 0.4 * np.frombuffer(PALETTE, np.uint8)[-3:]
    assert np.abs(row - strongest).max(axis=1).min() <= 1.5
    assert np.abs(row - layout.TISSUE).max(axis=1).min() <= 2
    assert colourfulness(row[None]).max() <= np.ptp(strongest) + 1.5
