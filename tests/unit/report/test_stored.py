"""Sentences of other rooms in the words of a report."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.catalogue import Language, Template
from agent.report.words import Words

BERLIN = ZoneInfo("Europe/Berlin")
ENGLISH, GERMAN = (Words.of("aln", language, BERLIN) for language in Language)
COUNT = "12 of 14 instances of the MG study{} are here, by the PACS's count at 2026-07-06 09:30 UTC."


@pytest.mark.parametrize(
    ("sentence", "english", "german"),
    [
        (
            COUNT.format(""),
            "12 of 14 instances of the mammography study are here, by the PACS's count at 2026-07-06 11:30 CEST.",
            "12 von 14 Bildern der Mammographie sind da, nach der Zählung des PACS vom 06.07.2026 11:30 MESZ.",
        ),
        (
            COUNT.format(" of 2026-07-01"),
            "12 of 14 instances of the mammography study of 2026-07-01 are here, by the PACS's count at "
            "2026-07-06 11:30 CEST.",
            "12 von 14 Bildern der Mammographie vom 01.07.2026 sind da, nach der Zählung des PACS vom "
            "06.07.2026 11:30 MESZ.",
        ),
        ("Expected and present: MG, XA.", "Expected and present: mammography, XA.", None),
        ("No usable MR arrived.", "No usable MRI arrived.", "MRT: nichts Verwendbares kam an."),
        ("The left MLO did not arrive.", "The left MLO did not arrive.", "Nicht angekommen: MLO links."),
        ("The XYZ did not arrive.", "The XYZ did not arrive.", "Nicht angekommen: XYZ."),
        (
            "Outside the range of the training data: age, ki67_percent.",
            "Outside the range of the training data: age, Ki-67.",
            "Außerhalb des Bereichs der Trainingsdaten: Alter, Ki-67.",
        ),
        (
            "became known on or after the start of systemic therapy",
            "became known on or after the start of systemic therapy",
            "erst mit oder nach dem Beginn der Systemtherapie bekannt geworden",
        ),
        ("pixels of 0.07 mm", "pixels of 0.07 mm", "Pixel von 0,07 mm"),
        ("the image is blank", "the image is blank", "das Bild ist leer"),
        (
            "a scout, to plan the examination by [MR-4]",
            "a scout, to plan the examination by [MR-4]",
            "ein Localizer zur Planung der Untersuchung [MR-4]",
        ),
        ("the rule of 2026-13-01 [site-1]", "the rule of 2026-13-01 [site-1]", "the rule of 2026-13-01 [site-1]"),
        ("", "", ""),
    ],
)
def test_sentence_is_read_in_the_reports_language(sentence: str, english: str, german: str | None) -> None:
    """Codes, columns and UTC become words, names and the site's time; in German the sentence is German."""
    assert ENGLISH.stored(sentence) == english
    if german is not None:
        assert GERMAN.stored(sentence) == german


@pytest.mark.parametrize("reason", ["our sonographers write LAD for axillary nodes", "Gerät der Praxis MG"])
def test_what_a_site_wrote_stays_as_written(reason: str) -> None:
    """A rule of its own has its own words, with the rule's name behind them."""
    assert GERMAN.stored(reason) == reason
    assert GERMAN.stored(f"{reason} [site-1]") == f"{reason} [site-1]"


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    """Nothing that a site writes stops a report, braces least of all."""
    for words in (ENGLISH, GERMAN):
        assert isinstance(words.stored(text), str)


@pytest.mark.parametrize("words", [ENGLISH, GERMAN])
def test_placeholders_within_an_argument_are_no_placeholders(words: Words) -> None:
    """What stands in braces is text."""
    assert words.stored("no decoder for transfer syntax {uid}").endswith("{uid}")
    assert words.stored("{0} and {name} [site-2]") == "{0} and {name} [site-2]"


def test_the_longer_literal_wins() -> None:
    """A wait of 4 h is one, and no part of the name of a modality."""
    assert (
        GERMAN.stored("No usable US arrived within 4 h.")
        == "Sonographie: innerhalb von 4 h kam nichts Verwendbares an."
    )
    lengths = [template.literal for template in GERMAN.catalogue.templates]
    assert lengths == sorted(lengths, reverse=True)


def test_template_reads_what_was_put_in() -> None:
    """Only a sentence made from it is one of its own."""
    template = Template.of("No usable {modality} arrived within {span}")
    assert template.literal == len("No usable  arrived within ")
    assert template.read("No usable US arrived within 4 h") == {"modality": "US", "span": "4 h"}
    assert template.read("No usable US arrived") is None
