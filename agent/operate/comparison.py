"""A saved answer beside the same version worked out again: whether it says the same, number by number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.operate.lineage import Change, changes

NUMBERS: Final = ("probability", "low", "high", "category", "contributions", "reason")


@dataclass(frozen=True, slots=True)
class Difference:
    """What was saved, and what came out now; None: there was none."""

    about: str  # "L probability", "object sr:L"
    saved: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a version says the same when it is worked out again."""

    case_id: int
    version: int
    answers: tuple[Mapping[str, Any], ...]  # that came out now
    numbers: tuple[Difference, ...]
    objects: tuple[Difference, ...]  # SHA-256 of each
    compared: int  # objects
    lineage: tuple[Change, ...]  # what is not as it was then, whether or not it made a difference

    @property
    def same(self) -> bool:
        """Whether every number and every object's bytes are the same."""
        return not self.numbers and not self.objects


def compare(
    case_id: int,
    version: int,
    saved: tuple[Mapping[str, Any], Mapping[str, Any]],
    now: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Comparison:
    """Compare a summary and its lineage, as saved, with those that came out now."""
    (summary, lineage), (summary_now, lineage_now) = saved, now
    old, new = ({one["role"]: one["sha256"] for one in side["objects"]} for side in (lineage, lineage_now))
    return Comparison(
        case_id=case_id,
        version=version,
        answers=tuple(summary_now["answers"]),
        numbers=tuple(_numbers(summary["answers"], summary_now["answers"])),
        objects=tuple(_each(old, new, "object ")),
        compared=len({*old, *new}),
        lineage=(*changes(lineage, lineage_now), *_predecessor(lineage, lineage_now)),
    )


def _predecessor(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    if saved["supersedes"] != now["supersedes"]:
        yield Change("predecessor", "the version before has other objects")


def _numbers(saved: list[Mapping[str, Any]], now: list[Mapping[str, Any]]) -> Iterator[Difference]:
    """Exactly: JSON writes a number so that the very same one is read back."""
    old, new = ({one["side"]: one for one in answers} for answers in (saved, now))
    for side in dict.fromkeys((*old, *new)):
        flat, flat_now = (_flat(answers.get(side, {})) for answers in (old, new))
        yield from _each(flat, flat_now, f"{side} " if side else "")


def _flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name in NUMBERS:
        value = answer.get(name)
        if isinstance(value, Mapping):
            flat |= {f"contribution of {of}": number for of, number in value.items()}
        elif value is not None:
            flat[name] = value
    return flat


def _each(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Difference(f"{prefix}{name}", old.get(name), new.get(name))


def sentences(compared: Comparison) -> list[str]:
    """Say the outcome, a line each."""
    head = f"case {compared.case_id}, version {compared.version}: "
    lines = [head + ("the same numbers" if not compared.numbers else "other values")]
    lines += [f"  {one.about}: {_value(one.saved)} → {_value(one.now)}" for one in compared.numbers]
    if compared.objects:
        lines.append(f"{len(compared.objects)} of {compared.compared} objects differ")
        lines += [f"  {one.about}: {_digest(one.saved)} → {_digest(one.now)}" for one in compared.objects]
    elif compared.compared:
        lines.append(f"the same bytes of all {compared.compared} objects")
    if compared.lineage:
        lines.append("not as it was then" + (", and without effect:" if compared.same else ":"))
        lines += [f"  {change.part}: {change.what}" for change in compared.lineage]
    elif not compared.same:
        lines.append("everything that is kept of its lineage is as it was: another machine?")
    return lines


def _value(value: Any) -> str:
    return "none" if value is None else str(value)


def _digest(value: str | None) -> str:
    return "none" if value is None else f"sha256 {value[:12]}"
