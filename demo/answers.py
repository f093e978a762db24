"""One answer as HTML: number, interval on a scale, and what each input added."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from agent.report.words import capital
from demo import words

CLASSES: Final = {"LOW": "low", "HIGH": "high"}
FULL_BAR: Final = 3.0  # log-odds that fill half a bar


def category_class(category: str) -> str:
    """The colour of a category: low, mid or high."""
    return CLASSES.get(category, "mid")


def scale(answer: Mapping[str, Any]) -> str:
    """The interval and the number on a line from 0 to 100 %."""
    low, high, at = (100 * float(answer[name]) for name in ("low", "high", "probability"))
    return (
        f"<div class='scale {category_class(str(answer['category']))}' title='0 to 100 %'>"
        f"<i style='left:{low:.1f}%;width:{high - low:.1f}%'></i><b style='left:{at:.1f}%'></b></div>"
    )


def answer_card(answer: Mapping[str, Any]) -> str:
    """One axilla's answer."""
    side = words.SIDES.get(str(answer.get("side")), "")
    head = f"<h3>{escape(side + ' axilla' if side else 'Answer')}</h3>"
    if answer.get("probability") is None:
        return (
            f"<div class=answer>{head}<div class=line><span class='chip none'>NO ESTIMATE</span></div>"
            f"<p>{escape(capital(str(answer['reason'])))}</p></div>"
        )
    category = str(answer["category"])
    return (
        f"<div class=answer>{head}<div class=line><span class=big>{escape(words.share(answer['probability']))}</span>"
        f"<span class='chip {category_class(category)}'>{escape(category)}</span>"
        f"<span class=soft>95 % CI {escape(words.interval(answer))}</span></div>{scale(answer)}"
        f"<div class=ends><span>0 %</span><span>probability of nodal metastasis</span><span>100 %</span></div>"
        f"{_contributions(answer)}</div>"
    )


def _contributions(answer: Mapping[str, Any]) -> str:
    parts = {str(name): float(value) for name, value in answer["contributions"].items()}
    widest = max(FULL_BAR, *(abs(value) for value in parts.values()))
    rows = "".join(_bar(name, value, widest) for name, value in parts.items() if name == "prior" or value)
    total = sum(parts.values())
    return (
        f"<div class=bars>{rows}<span class='soft total'>together</span><span class='soft total'>log-odds, that is "
        f"{escape(words.share(1 / (1 + math.exp(-total))))}</span><span class='number total'>{total:+.2f}</span></div>"
    )


def _bar(name: str, value: float, widest: float) -> str:
    width = 50 * abs(value) / widest
    left = 50 if value > 0 else 50 - width
    kind = "prior" if name == "prior" else "up" if value > 0 else "down"
    return (
        f"<span>{escape(words.MODALITIES.get(name, name))}</span><span class=bar>"
        f"<i class={kind} style='left:{left:.1f}%;width:{width:.1f}%'></i></span><span class=number>{value:+.2f}</span>"
    )
