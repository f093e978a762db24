"""Sentences that other rooms made: in English in the database and in logs, in its own language in a report.

They are matched with the templates of the catalogue: see docs/adr/0009-words-of-a-report.md.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from agent.report.catalogue import STORED, Language
from agent.report.figures import exactly, rate, written
from agent.report.names import MODALITIES, Names, capital

_CODE: Final = re.compile(r"\b(MG|US|MR|SM)\b(?!-\d)")  # not the name of a rule, as MG-3
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
_DAY: Final = re.compile(r"(?<![\w.-])\d{4}-\d\d-\d\d(?![\w-])")
COUNTED: Final = "{here} of {listed} instances of {study} are here, by the PACS's count at {when}"
_VIEW: Final[Mapping[str, str]] = {"left": "L", "right": "R"}


@dataclass(frozen=True)
class StoredWords(Names):
    """Names, numbers and the sentences of other rooms, in one language and the site's time zone."""

    zone: tzinfo

    def decimal(self, number: str) -> str:
        """Write a number as the language does."""
        return self.language.decimal(number)

    def number(self, value: float, form: str) -> str:
        """Write a number in a format such as ".2f"."""
        return self.decimal(format(value, form))

    def share(self, share: float, digits: int = 1) -> str:
        """Write an estimated share in percent, without the unit."""
        return written(share, self.language, digits)

    def chosen(self, share: float, digits: int = 1) -> str:
        """Write a share that somebody chose or stated, in percent, without the unit."""
        return exactly(share, self.language, digits)

    def rate(self, share: float, digits: int) -> str:
        """Write what was counted on patients, as a sensitivity."""
        return self.decimal(rate(share, digits))

    def stored(self, sentence: str) -> str:
        """Return a sentence of another room in words of this report; what nobody knows stays as it was written.

        Times become the site's, days and times are written as the language does, codes of modalities and names of facts
        become words.
        """
        said = self._said(_DAY.sub(self._day, _MOMENT.sub(self._local, sentence)))
        return capital(said) if sentence[:1].isupper() else said

    def counted(self, sentence: str) -> tuple[int, int] | None:
        """Return how many instances of a study are here, and how many the PACS lists, where a sentence says that."""
        found = self.catalogue.template(sentence.removesuffix("."))
        if found is None or found[0].msgid != COUNTED:
            return None
        here, listed = found[1]["here"], found[1]["listed"]
        return (int(here), int(listed)) if here.isdecimal() and listed.isdecimal() else None

    def _said(self, sentence: str) -> str:
        """Translate as a whole, else by its template; an argument that is a sentence itself in turn."""
        stop = "." if sentence.endswith(".") else ""
        bare = sentence.removesuffix(".")
        if (STORED, bare) in self.catalogue.texts:
            return self._named(self.catalogue.text(bare, STORED)) + stop
        found = self.catalogue.template(bare)
        if found is None:
            return self._named(sentence)
        template, values = found
        rendered = {name: ARGUMENTS.get(name, StoredWords._as_written)(self, text) for name, text in values.items()}
        return self.catalogue.text(template.msgid, STORED).format(**rendered) + stop

    def _named(self, sentence: str) -> str:
        """Write the modalities that an English sentence names by their codes as words."""
        if self.language is not Language.ENGLISH:
            return sentence
        return _CODE.sub(lambda found: MODALITIES[found[0]], sentence)

    def _local(self, found: re.Match[str]) -> str:
        moment = datetime.strptime(found[0], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC).astimezone(self.zone)
        return self.language.moment(moment)

    def _day(self, found: re.Match[str]) -> str:
        try:
            return self.language.day(date.fromisoformat(found[0]))
        except ValueError:
            return found[0]

    def _as_written(self, text: str) -> str:
        return text

    def _view(self, text: str) -> str:
        side, _, part = text.partition(" ")
        return self.place(_VIEW.get(side, ""), part) or text

    def _fact_list(self, text: str) -> str:
        return self.facts(text.split(", "))

    def _modality_list(self, text: str) -> str:
        return self.modalities(text.split(", "))


ARGUMENTS: Final[Mapping[str, Callable[[StoredWords, str], str]]] = {
    **dict.fromkeys(("sentence", "study", "event", "why"), StoredWords._said),
    "number": StoredWords.decimal,
    "modality": StoredWords.modality,
    "modalities": StoredWords._modality_list,
    "facts": StoredWords._fact_list,
    "view": StoredWords._view,
}
"""What stands at a placeholder of a template, by its name; at others it stays as written."""
