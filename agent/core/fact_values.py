"""The kinds of value that a clinical fact may have: how what a database gives becomes one, or breaks the rule."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from agent.core.clinical import Value

_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.\d{0,15})?", re.ASCII)
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}


class RefusedValueError(ValueError):
    """A value breaks the rule of its fact. The message names the rule and never quotes the value."""


def _as_given(raw: object) -> object:
    """Return what is text in every table."""
    return raw


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fact may be.

    `parse` takes what a column of the right type gives and returns the value or raises RefusedValueError; `unwritten`
    turns the text of a column that holds values of every kind into what `parse` takes, or leaves it as it is.
    """

    parse: Callable[[object], Value]
    unwritten: Callable[[object], object] = _as_given


def _text(raw: object) -> str:
    """Take text that is not empty."""
    if not isinstance(raw, str) or not raw.strip():
        raise RefusedValueError("not text")
    return raw.strip()


def day(raw: object) -> date:
    """Take a date, or a moment's date, as a driver gives it or in ISO 8601."""
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    if not isinstance(raw, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?", raw.strip(), re.ASCII):
        raise RefusedValueError("not a date of the form YYYY-MM-DD")
    try:
        return date.fromisoformat(raw.strip()[:10])
    except ValueError:
        raise RefusedValueError("not a day of the calendar") from None


def _flag(raw: object) -> bool:
    """Take a truth value; 0 and 1 are how some databases write it."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, int) and raw in (0, 1):
        return bool(raw)
    raise RefusedValueError("not true or false")


def _written_number(raw: object) -> object:
    """Return the number that text such as "12.5" writes; what is no such text is left as it is."""
    return float(raw) if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()) else raw


def _written_flag(raw: object) -> object:
    """Return the truth value that "true", "false", "1" or "0" writes; what is no such text is left as it is."""
    return _FLAGS.get(raw.strip().lower(), raw) if isinstance(raw, str) else raw


def _real(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal):
        raise RefusedValueError("not a number")
    try:
        value = float(raw)
    except (OverflowError, ValueError):
        raise RefusedValueError("not a number") from None
    if not math.isfinite(value):
        raise RefusedValueError("not a number")
    return value


TEXT: Final = Kind(_text)
DAY: Final = Kind(day)
FLAG: Final = Kind(_flag, _written_flag)


def number(low: float, high: float) -> Kind:
    """Return a rule for numbers from `low` to `high`."""

    def parse(raw: object) -> Value:
        value = _real(raw)
        if not low <= value <= high:
            raise RefusedValueError(f"outside {low:g} to {high:g}")
        return value

    return Kind(parse, _written_number)


def count(low: int, high: int) -> Kind:
    """Return a rule for whole numbers from `low` to `high`."""

    def parse(raw: object) -> Value:
        value = _real(raw)
        if not low <= value <= high:
            raise RefusedValueError(f"outside {low:g} to {high:g}")
        if value != int(value):
            raise RefusedValueError("not a whole number")
        return int(value)

    return Kind(parse, _written_number)


def one_of(*values: str) -> Kind:
    """Return a rule for words of a set."""

    def parse(raw: object) -> Value:
        if (word := _text(raw)) not in values:
            raise RefusedValueError(f"not one of {', '.join(values)}")
        return word

    return Kind(parse)


def tnm(letter: str, categories: str) -> Kind:
    """Return a rule for clinical TNM text such as "cT1c" or "N0"; pathological (p), post-treatment (y) are refused."""
    form = re.compile(rf"c?{letter}({categories})(\((f|sn|m|\d+|i[+-]|mol[+-])\))?", re.ASCII)

    def parse(raw: object) -> Value:
        category = _text(raw)
        if re.match(r"y?p|y|r|a", category):
            raise RefusedValueError("not a clinical category before treatment (cTNM)")
        if not form.fullmatch(category):
            raise RefusedValueError(f"not a clinical {letter} category")
        return category.removeprefix("c")

    return Kind(parse)
