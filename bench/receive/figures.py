"""What the figures must be, and the one line in which they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

ASSOCIATIONS: Final = (1, 4, 8)


@dataclass(frozen=True, slots=True)
class Bound:
    """The least that a figure must be, or the most; None where it is only aimed at, or only told."""

    least: float | None = None
    most: float | None = None
    aim: float | None = None


def _bounds() -> dict[str, Bound]:
    must = {("mr", 1): 1.2, ("mr", 4): 1.4}
    aims = {"mr": 1.4, "mg": 1.1, "small": 2.5}
    found = {}
    for sort, aim in aims.items():
        for count in ASSOCIATIONS:
            least = must.get((sort, count))
            found[f"{sort}_{count}_vs_storescp"] = Bound(least, aim=None if least else aim)
    for sort, least in {"mr": 3.5, "mg": 3.0, "small": 3.0}.items():
        found |= {f"{sort}_{count}_vs_orthanc": Bound(least) for count in ASSOCIATIONS}
    return found | {"rss_mib_8": Bound(most=128.0)}


BOUNDS: Final = _bounds()
"""By the figure's name. A figure that is not here is told, and nothing is asked of it."""


def verdict(
    name: str, values: Mapping[str, float | None], bounds: Mapping[str, Bound], **more: object
) -> dict[str, Any]:
    """Return the line: every figure with what is asked of it, and whether all hold; one that is missing does not."""
    names = [*bounds, *(one for one in values if one not in bounds)]
    figures = {one: _figure(values.get(one), bounds.get(one, Bound())) for one in names}
    holds = all(figure.get("holds", figure["value"] is not None) for figure in figures.values())
    return {"name": name, "figures": figures, **more, "holds": holds}


def _figure(value: float | None, bound: Bound) -> dict[str, Any]:
    figure: dict[str, Any] = {"value": None if value is None else round(value, 3)}
    if bound.aim is not None:
        figure["aim"] = bound.aim
    asked = bound.most if bound.least is None else bound.least
    if asked is not None:
        figure["bound"] = asked
        figure["holds"] = value is not None and (value >= asked if bound.least is not None else value <= asked)
    return figure
