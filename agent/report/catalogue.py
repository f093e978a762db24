"""The catalogue: every string that a reader sees. English is the key; other languages stand in `locale/*.po`.

A string is marked where it is written: a constant by `_("…")`, one with a count by `plural("…", "…")`, one that is
said at once by `words.gettext("… {name} …", name=…)`. Tests extract them and fail for one without its German.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from string import Formatter
from typing import Final

from babel.dates import format_date, get_timezone_name
from babel.messages.pofile import read_po

STORED: Final = "stored"  # context of sentences that other rooms make and the database keeps, in English
FACT: Final = "fact"  # context of the names of clinical facts
CODE: Final = "code"  # context of the meanings of codes


class Language(StrEnum):
    """A language of reports."""

    ENGLISH = "en"
    GERMAN = "de"

    def decimal(self, number: str) -> str:
        """Write a number, which has a decimal point and no thousands separator, as the language does."""
        return number.replace(".", ",") if self is Language.GERMAN else number

    def day(self, day: date) -> str:
        """Write a day as the language does; in English, where countries differ, by ISO 8601."""
        return day.isoformat() if self is Language.ENGLISH else format_date(day, locale=self.value)

    def moment(self, moment: datetime) -> str:
        """Write a day, a time of it, and the name of its time zone."""
        zone = f"{moment:%Z}" if self is Language.ENGLISH else get_timezone_name(moment, "short", locale=self.value)
        return f"{self.day(moment.date())} {moment:%H:%M} {zone}"


def marked(msgid: str) -> str:
    """Mark a constant for the catalogue; it stays English, and `gettext` translates it where it is said."""
    return msgid


@dataclass(frozen=True, slots=True)
class Plural:
    """A string with a number, `{count}`: of one, and of several."""

    one: str
    several: str


plural = Plural


@dataclass(frozen=True)
class Template:
    """A sentence with placeholders, and how one made from it is recognised."""

    msgid: str
    _names: tuple[str, ...]

    @classmethod
    def of(cls, msgid: str) -> "Template":
        """Read the placeholders of a sentence; each occurs once."""
        return cls(msgid, tuple(name for _, name, _, _ in Formatter().parse(msgid) if name))

    @property
    def literal(self) -> int:
        """How many letters of it are no placeholder."""
        return len(self.msgid) - sum(len(name) + 2 for name in self._names)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = Formatter().parse(self.msgid)
        return re.compile("".join(re.escape(text) + (f"(?P<{name}>.+?)" if name else "") for text, name, _, _ in parts))

    def read(self, sentence: str) -> Mapping[str, str] | None:
        """Return what stands at the placeholders of a sentence made from it; None of any other sentence."""
        found = self._pattern.fullmatch(sentence)
        return found.groupdict() if found else None


@dataclass(frozen=True)
class Catalogue:
    """The strings of one language."""

    language: Language
    texts: Mapping[tuple[str, str], str]  # (context or "", English) -> translation
    plurals: Mapping[str, Plural]  # by the English of one
    templates: tuple[Template, ...]  # of stored sentences with placeholders; what is told more exactly comes first

    def text(self, msgid: str, context: str = "") -> str:
        """Return the translation of a string; what the catalogue does not hold stays as it is."""
        return self.texts.get((context, msgid), msgid)

    def several(self, of: Plural, count: int) -> str:
        """Return the string for a count. English and German have the same rule: one, or several."""
        found = self.plurals.get(of.one, of)
        return (found.one if count == 1 else found.several).format(count=count)

    def template(self, sentence: str) -> tuple[Template, Mapping[str, str]] | None:
        """Return the template that a stored sentence was made from, with what stands at its placeholders."""
        found = ((one, one.read(sentence)) for one in self.templates)
        return next(((one, values) for one, values in found if values is not None), None)


@cache
def catalogue(language: Language) -> Catalogue:
    """Read the catalogue of a language, once a process. The templates of stored sentences serve every language."""
    with (files("agent.report") / "locale" / "de.po").open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    texts = {(m.context or "", m.id): str(m.string) for m in messages if isinstance(m.id, str)}
    plurals = {m.id[0]: Plural(*m.string) for m in messages if isinstance(m.id, tuple) and isinstance(m.string, tuple)}
    stored = (Template.of(msgid) for context, msgid in texts if context == STORED and "{" in msgid)
    templates = tuple(sorted(stored, key=lambda one: (-one.literal, one.msgid)))
    if language is Language.ENGLISH:
        return Catalogue(language, {(context, msgid): msgid for context, msgid in texts}, {}, templates)
    return Catalogue(language, texts, plurals, templates)
