"""The same result in German: the page, the pictures, and what stays English."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydicom import Dataset

from agent.core.errors import Permanent
from agent.core.prediction import Category, NoEstimate, Side
from agent.core.result import LeftOut, Result, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.capture import captures
from agent.report.compose import Composer, Language
from agent.report.draft import DeviceIdentity, Draft
from agent.report.headline import headline
from agent.report.layout import MARGIN, WIDTH, banner, font, legend
from agent.report.rules_capture import disclaimer_is_burned_in
from agent.report.text_sr import text_report
from agent.report.validate import validate
from agent.report.words import DISCLAIMER, Words
from tests import builders, peers
from tests.unit.report import alone, scenes
from tests.unit.report.conftest import Read
from tests.unit.report.remembering import Remembering
from tests.unit.report.test_validators import run

GERMAN = Words.of("aln", Language.GERMAN)
NOTICE = "Forschungssoftware. Nicht zugelassen, ohne CE-Kennzeichnung. Nicht zur klinischen Anwendung."
ANSWER = "Axilla links: Wahrscheinlichkeit axillärer Lymphknotenmetastasen 73,1 % (95-%-KI 61,1 bis 82,1 %), HOCH."


@pytest.fixture
def german(device: DeviceIdentity) -> Composer:
    """The room's entry at a German site."""
    return Remembering(device, ZoneInfo("Europe/Berlin"), Language.GERMAN)


@pytest.fixture
def lesend(german: Composer, left: Result, mlo: SourceImage) -> Read:
    """The objects of one axilla with one image."""
    return Read(german(left, [mlo]))


def texts(read: Read) -> list[str]:
    """Return every sentence of the page."""
    return sentences(read["text_sr"])


def sentences(page: Dataset) -> list[str]:
    """Return every sentence of a page."""
    return [i.TextValue for i in tree.items(page) if i.ValueType == "TEXT"]


def test_page_is_german(lesend: Read) -> None:
    """Answer, inputs, contributions and limits, with decimal commas."""
    said = texts(lesend)
    assert ANSWER in said
    assert NOTICE in said
    assert "Axilla links: Das geschätzte Risiko ist HOCH." in said
    assert "Als Lymphknotenmetastasierung gilt hier: Metastase größer als 0,2 mm (pN1mi und höher)." in said
    assert "Verwendete Bilder: 1 Mammogramm (MLO links)." in said
    assert "Verwendete klinische Angaben: Alter, Größe im Ultraschall, Grading." in said
    assert "Nicht verfügbar: Sonographie, MRT." in said
    assert "Axilla links: Schätzung erhöht durch Mammographie, Odds x 3,3 (Log-Odds +1,20)." in said
    assert "Axilla links: 35,5 % bei diesen Eingaben (Log-Odds -0,60)." in said


def test_page_says_its_language(lesend: Read, objects: Read) -> None:
    """The language item is the page's; codes stay what they are, their meanings are translated."""
    language = tree.named(lesend["text_sr"], codes.LANGUAGE)[0].ConceptCodeSequence[0]
    assert (language.CodeValue, language.CodingSchemeDesignator) == ("de-DE", "RFC5646")
    headings, english = (
        [i.ConceptNameCodeSequence[0] for i in read["text_sr"].ContentSequence if i.ValueType == "CONTAINER"]
        for read in (lesend, objects)
    )
    assert [(c.CodeValue, c.CodingSchemeDesignator) for c in headings] == [
        (c.CodeValue, c.CodingSchemeDesignator) for c in english
    ]
    assert [c.CodeMeaning for c in headings] == [
        "Fragestellung",
        "Zusammenfassung",
        "Ergebnisse",
        "Beiträge",
        "Grundlagen",
        "Grenzen",
    ]


def test_coded_report_stays_english(lesend: Read, objects: Read) -> None:
    """But for the description of its series, which viewers list, the SR is the same in every language."""
    german, english = lesend["sr:L"], objects["sr:L"]
    assert german.ContentSequence == english.ContentSequence
    assert german.SeriesDescription == "AI ALN risk v1 L Bericht - NICHT KLINISCH ANWENDEN"
    assert english.SeriesDescription == "AI ALN risk v1 L report - NOT FOR CLINICAL USE"


def test_next_page_may_be_english(lesend: Read, device: DeviceIdentity, left: Result, mlo: SourceImage) -> None:
    """What one page is translated to stays on that page: the codes that all objects share are not touched."""
    assert lesend["text_sr"].ConceptNameCodeSequence[0].CodeMeaning == "KI-Risikobericht"
    assert (codes.SUMMARY_TITLE.meaning, codes.DEVICE.meaning) == ("AI risk summary", "Device")
    page = Read(Composer(device)(left, [mlo]))["text_sr"]
    assert page.ConceptNameCodeSequence[0].CodeMeaning == "AI risk summary"


def test_language_changes_no_uid(lesend: Read, objects: Read) -> None:
    """A site that changes its language sends no second copy of what was sent."""
    for role in objects.roles:
        assert lesend[role].SOPInstanceUID == objects[role].SOPInstanceUID
        assert lesend[role].SeriesInstanceUID == objects[role].SeriesInstanceUID


def test_pictures_are_german(lesend: Read, objects: Read) -> None:
    """Bands, comments and derivation; the image itself is the same."""
    german, english = lesend["secondary_capture:L:1"], objects["secondary_capture:L:1"]
    assert german.ImageComments == ANSWER
    assert NOTICE in german.DerivationDescription
    band = np.asarray(banner(NOTICE))
    assert np.array_equal(german.pixel_array[: len(band)], band)
    assert np.array_equal(german.pixel_array[464:1104], english.pixel_array[464:1104])
    assert not np.array_equal(german.pixel_array[160:400], english.pixel_array[160:400])


def test_page_and_picture_of_another_language_are_refused(
    device: DeviceIdentity, left: Result, mlo: SourceImage
) -> None:
    """The rules compare with the words and the band of the report's language."""
    draft = Draft.of(left, [mlo], device, language=Language.GERMAN)
    english = replace(draft, words=Words.of("aln"))
    with pytest.raises(Permanent, match="text_sr breaks the rule text_states_the_question"):
        validate(draft, [text_report(english)])
    picture = captures(english)[0].finished
    assert not disclaimer_is_burned_in(draft, picture)
    assert disclaimer_is_burned_in(english, picture)


def test_no_estimate_gives_its_reason_in_german(german: Composer, mlo: SourceImage) -> None:
    """Reasons, evidence and what was left out were stored in English."""
    result = builders.result(
        [NoEstimate(Side.L, "A node biopsy has already proven metastasis.")],
        [mlo],
        used=(),
        facts_used=(),
        modalities_missing=(),
        left_out=(LeftOut("grade", "became known on or after surgery"),),
        evidence=("No image arrived during the quiet period of 1 min.",),
    )
    said = texts(Read(german(result, [mlo])))
    assert "Axilla links: keine Schätzung." in said
    assert (
        "Axilla links: keine Schätzung. Grund: Eine Lymphknotenbiopsie hat bereits eine Metastase nachgewiesen." in said
    )
    assert "Nicht verwendete klinische Angaben: Grading: erst mit oder nach der Operation bekannt geworden." in said
    assert "Während der Ruhezeit von 1 min kam kein Bild an." in said
    assert not any("%" in text for text in said)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            Language.ENGLISH,
            "Probabilities and thresholds are shifted from the prevalence in training, 42.0 %, to the site's, 25.0 %: "
            "odds x 0.46 (log-odds -0.78).",
        ),
        (
            Language.GERMAN,
            "Wahrscheinlichkeiten und Schwellen sind von der Prävalenz im Training, 42,0 %, auf die des Standorts, "
            "25,0 %, umgerechnet: Odds x 0,46 (Log-Odds -0,78).",
        ),
    ],
)
def test_shift_of_the_prevalence_is_said(left: Result, mlo: SourceImage, language: Language, said: str) -> None:
    """From which to which, and what it did: (0.25 / 0.75) / (0.42 / 0.58) = 0.460, its logarithm -0.776."""
    assert said in sentences(alone.page(replace(left, site_prevalence=0.25), [mlo], language))
    assert not any("42" in text and "25" in text for text in sentences(alone.page(left, [mlo], language)))


def test_every_scene_passes_the_gate_in_german(german: Composer, views: Sequence[SourceImage]) -> None:
    """All modalities, two axillae, version 2 and a demonstration keep every rule."""
    result, images = scenes.everything(model=builders.DEMONSTRATION_MODEL, site_prevalence=0.25)
    before = {o.role: o.reference for o in german(result, images)}
    later = replace(result, version=2, predecessors=before, new_inputs=("US",))
    assert "Dieses Ergebnis, Version 2, ersetzt Version 1. Neu seither: Sonographie." in texts(
        Read(german(later, images))
    )
    answers = [builders.estimate("L", 0.3), NoEstimate(Side.R, "Earlier surgery of this axilla.")]
    assert "text_sr" in Read(german(builders.result(answers, views), views)).roles


@pytest.mark.parametrize("language", Language)
def test_words_have_room_in_pictures(language: Language) -> None:
    """The notice, the answer's row and the legend are not cut off, nor is the notice shrunk much."""
    words = Words.of("aln", language)
    assert font(24).getlength(words.disclaimer) <= WIDTH - 2 * MARGIN
    rows = [
        f"{words.axilla(side)} {words.share(0.9999)} % {words.category(category)}"
        for side in Side
        for category in Category
    ]
    assert all(font(52).getlength(row) < 0.8 * WIDTH for row in rows)
    pixels = np.asarray(legend(words))
    assert not pixels[:, :20].any() and not pixels[:, -20:].any()
    assert words.disclaimer == (NOTICE if language is Language.GERMAN else DISCLAIMER)


def test_dicom_tools_take_the_german_objects(tmp_path: Path, german: Composer, left: Result, mlo: SourceImage) -> None:
    """No Error of dciodvfy; DCMTK renders the page with its umlauts."""
    check, render = peers.program("dciodvfy"), peers.program("dsr2html")
    for made in german(left, [mlo]):
        path = tmp_path / f"{made.role.replace(':', '-')}.dcm"
        path.write_bytes(made.encoded)
        said = run(check, "-new", str(path)).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert [line for line in said if line.startswith("Warning") and "99SENTINODE" not in line] == []
    assert run(render, str(tmp_path / "text_sr.dcm"), str(tmp_path / "page.html")).returncode == 0
    assert ANSWER in (tmp_path / "page.html").read_text("utf-8")


def test_zone_that_has_no_room_for_its_name_is_not_named(
    device: DeviceIdentity, left: Result, mlo: SourceImage
) -> None:
    """Below a threshold of 10 % NIEDRIG is written in smaller letters, below one of 1 % not at all."""
    bands = []
    for threshold in (0.1, 0.01):
        points = (replace(builders.POINTS[0], threshold=threshold), builders.POINTS[1])
        draft = Draft.of(replace(left, operating_points=points), [mlo], device, language=Language.GERMAN)
        scale = np.asarray(headline(draft, left.answers[0])[2])
        bands.append(scale[74:94, 190:250])
    assert (bands[0] > 100).any()
    assert not (bands[1] > 100).any()
