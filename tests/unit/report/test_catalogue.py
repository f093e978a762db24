"""The catalogue holds the German of every string, and of nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from PIL import Image, ImageDraw

from agent.core.facts import FACTS
from agent.core.prediction import Category
from agent.report import layout
from agent.report.capture import HEATMAP, SUMMARY
from agent.report.catalogue import CODE, FACT, STORED, Language, Plural, catalogue
from agent.report.names import fact
from agent.report.questions import QUESTIONS
from agent.report.sr import REPORT
from agent.report.text_sr import SLOT
from agent.report.words import CATEGORIES, DISCLAIMER, Words
from tests.peers import ROOT
from tests.unit.report.gathered import every_sentence

REPORT_ROOM = sorted((ROOT / "agent" / "report").glob("*.py"))
KEYWORDS = {"_": None, "gettext": None, "plural": (1, 2)}
GERMAN = catalogue(Language.GERMAN)
SENTENCES = sorted(every_sentence())


@pytest.fixture(scope="module")
def po() -> Catalog:
    """The file as it stands."""
    with (ROOT / "agent" / "report" / "locale" / "de.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def entries(po: Catalog, context: str = "") -> list[Message]:
    """Return the messages of a context."""
    return [message for message in po if message.id and (message.context or "") == context]


def both(of: object) -> tuple[str, ...]:
    """Return the strings of a message, which has two where it has a plural."""
    return (of,) if isinstance(of, str) else tuple(str(one) for one in of)  # type: ignore[attr-defined]


def marked(path: Path) -> Iterator[object]:
    """Return what Babel finds in a module."""
    with path.open("rb") as file:
        for _, message, _, _ in extract("python", file, keywords=KEYWORDS):
            yield message


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders of a string."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_marked_string_is_in_the_catalogue_and_no_other(po: Catalog) -> None:
    """A string without German would be read in English; an obsolete one would hide that a new one lacks it."""
    found = {both(message) for path in REPORT_ROOM for message in marked(path)}
    assert len(found) > 80
    assert {both(message.id) for message in entries(po)} == found


def test_babel_sees_every_mark() -> None:
    """Nothing is marked where extraction does not look, as within the braces of an f-string."""
    for path in REPORT_ROOM:
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        named = [c for c in calls if getattr(c.func, "id", getattr(c.func, "attr", "")) in KEYWORDS and c.args]
        literal = {c.args[0].value for c in named if isinstance(c.args[0], ast.Constant)}
        assert literal == {both(message)[0] for message in marked(path)}, path.name


def test_no_entry_is_fuzzy_empty_or_of_other_placeholders(po: Catalog) -> None:
    """Each translation takes exactly what its original takes."""
    assert not po.obsolete
    for message in po:
        if message.id:
            assert not message.fuzzy and all(both(message.string)), message.id
            for original, translation in zip(both(message.id), both(message.string), strict=True):
                assert placeholders(original) == placeholders(translation), original


@pytest.mark.parametrize("language", Language)
def test_font_holds_every_letter(po: Catalog, language: Language) -> None:
    """A letter that the font lacks is drawn as a crossed box."""
    lacking = drawn("\U0001f7ff")
    texts = [text for m in po if m.id for text in both(m.id if language is Language.ENGLISH else m.string)]
    letters = {letter for text in texts for letter in text + text.upper()} | set("0123456789 %<>.,-+äöüßÄÖÜé")
    assert [letter for letter in sorted(letters - {" "}) if drawn(letter) == lacking] == []


def drawn(letter: str) -> bytes:
    """Return a letter's picture."""
    picture = Image.new("L", (60, 60))
    ImageDraw.Draw(picture).text((30, 30), letter, fill=255, font=layout.font(32), anchor="mm")
    return picture.tobytes()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_stored_sentence_has_its_german(sentence: str) -> None:
    """What another room says is found, as a whole or by its template, and so is what stands in it."""
    words = Words.of("aln", Language.GERMAN)
    said = words.stored(sentence)
    assert said != sentence
    assert "{" not in said
    assert said.endswith(".") == sentence.endswith(".")


def test_every_stored_entry_is_said_by_someone(po: Catalog) -> None:
    """An entry that no sentence needs is obsolete."""
    needed: set[str] = set()

    def need(text: str) -> None:
        bare = text.removesuffix(".")
        found = None if (STORED, bare) in GERMAN.texts else GERMAN.template(bare)
        needed.add(found[0].msgid if found else bare)
        for value in found[1].values() if found else ():
            need(value)

    for sentence in SENTENCES:
        need(sentence)
    assert {str(message.id) for message in entries(po, STORED)} - needed == set()


def test_every_fact_has_its_german_name(po: Catalog) -> None:
    """The names of the dictionary of facts, and age."""
    assert {str(message.id) for message in entries(po, FACT)} == {fact(name) for name in (*FACTS, "age")}


def test_every_code_of_the_page_has_a_german_meaning(po: Catalog, page_meanings: set[str]) -> None:
    """Headings and labels are the meanings of codes."""
    assert {str(message.id) for message in entries(po, CODE)} == page_meanings


@pytest.mark.parametrize("language", Language)
def test_series_description_fits_its_attribute(language: Language) -> None:
    """LO holds 64 characters, whatever the version."""
    words = Words.of("aln", language)
    for label in (SLOT.label, SUMMARY.label, REPORT, HEATMAP):
        for side in ("", "L ", "R "):
            said = words.series(12, f"{side}{label}")
            assert len(said) <= 64
            assert said.startswith(f"AI ALN risk v12 {side}")


def test_several_of_what_nobody_names() -> None:
    """A plural that the catalogue lacks stays English."""
    assert GERMAN.several(Plural("{count} fly", "{count} flies"), 2) == "2 flies"


@pytest.mark.parametrize("language", Language)
def test_every_category_and_question_is_named(language: Language) -> None:
    """The words that a reader looks for are there in each language."""
    words = Words.of("aln", language)
    assert set(CATEGORIES) == set(Category)
    assert len({words.category(category) for category in Category}) == 3
    assert {Words.of(question, language).short for question in QUESTIONS} == {q.short for q in QUESTIONS.values()}
    assert (words.disclaimer == DISCLAIMER) == (language is Language.ENGLISH)
