"""Person names (PN, PS3.5 section 6.2) as they are compared: what two ways of writing one person's name share."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

LOST: Final = "\ufffd"
"""A letter that could not be read: it equals any other."""

_MOST: Final = 512  # characters of a name that are looked at; the standard allows 3 groups of 64
_PADDING: Final = "\0 "
_PARTICLES: Final = frozenset(
    "af av bin bint da de del della den der di do dos du ibn la le van von zu zum zur".split()
)
_APOSTROPHES: Final = frozenset("'`\u00b4\u02b9\u02bb\u02bc\u02bf\u2018\u2019\u2032\u05f3")
_PLAIN: Final = str.maketrans(
    {"ø": "o", "œ": "oe", "æ": "ae", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "þ": "th", "?": LOST}
    | {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}  # katakana to hiragana
)
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670]"
)  # accents, Hebrew and Arabic points
_DIGRAPHS: Final = re.compile("aa|ae|oe|(?<![aeoq])ue")  # how å, ä, ö and ü are written without their marks
_SYLLABIC: Final = frozenset({"CJK", "HANGUL", "HIRAGANA"})  # one letter is much of a name
_TYPING_ERRORS: Final = ((8, 2), (4, 1))  # letters of the shorter name, and how many of them may differ

_Same = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """A family name, or given and middle names: words in plain letters, in any order, and written as one word."""

    words: tuple[str, ...] = ()
    joined: str = ""


@dataclass(frozen=True, slots=True)
class _Group:
    """One component group; prefix and suffix do not count."""

    family: _Part
    given: _Part
    loose: bool = False  # all in the first component, spaces between: which word is the family name is not said

    @property
    def is_full(self) -> bool:
        """Whether there are family and given names."""
        return self.loose or bool(self.family.words and self.given.words)

    @property
    def all(self) -> _Part:
        """Every word."""
        return _Part(self.family.words + self.given.words, self.family.joined + self.given.joined)


def normalised(name: str) -> str:
    """Return a name without what its encoding adds: case, padding, empty ends, full and half width.

    Names that are equal so are the same name; nothing else is tolerated here, as a correction may be one letter.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    groups = (
        "^".join(" ".join(part.strip(_PADDING).split()) for part in group.split("^")) for group in text.split("=")
    )
    return "=".join(group.rstrip("^") for group in groups).rstrip("=")


def names_agree(a: str, b: str, *, confirmed: bool = False) -> bool | None:
    """Whether two names can be one person's: None where they share nothing that could be compared.

    Groups are compared by script, whichever place they have: alphabetic with alphabetic, ideographic with
    ideographic. Each script that both have must agree. Symmetric and, but for empty names, reflexive; not transitive,
    since what is left out agrees with everything.

    Parameters
    ----------
    a, b
        PN as decoded, of up to three groups.
    confirmed
        Birth dates and sexes are given and equal: then a typing error in one part is tolerated (one letter of four,
        two of eight, neighbours that changed places), and so are family and given name in each other's place.
    """
    ours, theirs = _groups(a), _groups(b)
    verdicts = [_agree(ours[s], theirs[s], confirmed, s not in _SYLLABIC) for s in ours.keys() & theirs.keys()]
    return False if False in verdicts else True if True in verdicts else None


def names_match(name: str, others: Iterable[str]) -> bool:
    """Whether a name is one of those known for the same person, a former or an alias name: without typing errors."""
    return any(names_agree(name, other) for other in others)


def names_match_in_full(name: str, others: Iterable[str]) -> bool:
    """Whether a name is one of those, and more than a family name shows it: in some script both say given names."""
    return any(names_agree(name, other) and _both_in_full(_groups(name), _groups(other)) for other in others)


def _both_in_full(ours: Mapping[str, _Group], theirs: Mapping[str, _Group]) -> bool:
    return any(ours[script].is_full and theirs[script].is_full for script in ours.keys() & theirs.keys())


def _groups(name: str) -> dict[str, _Group]:
    """Return the first group of each script; a group without letters says nothing."""
    found: dict[str, _Group] = {}
    for text in _plain(name[:_MOST]).split("=")[:3]:
        letter = next((c for c in text if c.isalpha()), "")
        if letter:
            found.setdefault(unicodedata.name(letter, "").split(" ")[0], _group(text))
    return found


def _group(text: str) -> _Group:
    family, given, middle, *_ = [*text.split("^"), "", "", ""]
    first, second = _part(family), _part(f"{given} {middle}")
    words = [word for word in re.split(r"[\s,]+", family) if word.strip() and word not in _PARTICLES]
    return _Group(first, second, loose=not second.words and len(words) > 1)


def _part(text: str) -> _Part:
    words = "".join(c if unicodedata.category(c)[0] in "LMN" or c == LOST else " " for c in text).split()
    telling = [word for word in words if word not in _PARTICLES] or words
    return _Part(tuple(map(_without_digraphs, telling)), _without_digraphs("".join(words)))


def _plain(name: str) -> str:
    """Return a name in small letters without marks; one whose UTF-8 was read as Latin-1 is read anew."""
    with suppress(UnicodeError):
        name = name.encode("latin_1").decode("utf_8")
    name = "".join(c for c in name if c not in _APOSTROPHES)
    name = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    name = re.sub(f"{LOST}+", LOST, _MARKS.sub("", name.translate(_PLAIN)))
    return unicodedata.normalize("NFC", name)


def _without_digraphs(word: str) -> str:
    return _DIGRAPHS.sub(lambda found: found[0][0], word)


def _agree(a: _Group, b: _Group, confirmed: bool, is_alphabetic: bool) -> bool | None:
    """Whether two groups of one script agree; None where they agree without a family name to show for it."""
    same_given = _same_or_initial if is_alphabetic else _same
    if a.family.words and b.family.words and _same(a.all.joined, b.all.joined):
        return True  # also where one of them does not tell its parts apart: 山田太郎
    if a.loose != b.loose:
        return _fit(a.all, b.all, same_given)
    family, given = _fit(a.family, b.family, _same), _fit(a.given, b.given, same_given)
    if False in (family, given) and confirmed and _excusable(a, b, family, given, is_alphabetic):
        return True
    return False if False in (family, given) else family


def _excusable(a: _Group, b: _Group, family: bool | None, given: bool | None, is_alphabetic: bool) -> bool:
    if _fit(a.family, b.given, _same) and _fit(a.given, b.family, _same):
        return True
    if not is_alphabetic or family is given:  # an error in both parts is another name
        return False
    one, other = (a.family, b.family) if family is False else (a.given, b.given)
    return _mistyped(one.joined, other.joined) or bool(_fit(one, other, _same_or_mistyped))


def _fit(a: _Part, b: _Part, same: _Same) -> bool | None:
    """Whether each word of the shorter part has its own in the longer one; None where one part has none."""
    if not (a.words and b.words):
        return None
    few, many = sorted((a.words, b.words), key=len)
    return _same(a.joined, b.joined) or _matched(few, many, same)


def _matched(few: Sequence[str], many: Sequence[str], same: _Same) -> bool:
    """Whether every word finds a partner of its own: augmenting paths, since the first partner may be another's."""
    partner: dict[int, int] = {}

    def place(word: int, tried: set[int]) -> bool:
        for seat in range(len(many)):
            if seat not in tried and same(few[word], many[seat]):
                tried.add(seat)
                if seat not in partner or place(partner[seat], tried):
                    partner[seat] = word
                    return True
        return False

    return all(place(word, set()) for word in range(len(few)))


def _same(a: str, b: str) -> bool:
    return a == b or (len(a) == len(b) and all(x == y or LOST in (x, y) for x, y in zip(a, b, strict=True)))


def _same_or_initial(a: str, b: str) -> bool:
    return _same(a, b) or (1 in (len(a), len(b)) and _same(a[0], b[0]))


def _same_or_mistyped(a: str, b: str) -> bool:
    return _same_or_initial(a, b) or _mistyped(a, b)


def _mistyped(a: str, b: str) -> bool:
    """Whether one word is the other with a typing error."""
    shorter = min(len(a), len(b))
    allowed = next((errors for letters, errors in _TYPING_ERRORS if shorter >= letters), 0)
    return abs(len(a) - len(b)) <= allowed and distance(a, b) <= allowed


def distance(a: str, b: str) -> int:
    """Return how many letters to insert, remove, replace, or exchange with their neighbour make one word the other.

    Damerau-Levenshtein in its restricted form (optimal string alignment): no letter is touched twice.
    """
    before, last = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y and LOST not in (x, y)))
            if i > 1 and j > 1 and (x, a[i - 2]) == (b[j - 2], y):
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
