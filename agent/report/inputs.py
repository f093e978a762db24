"""Sentences on the evidence: what was used, what was there and left out, what was missing."""

from collections import Counter
from collections.abc import Iterable, Sequence

from agent.core.instance import Instance
from agent.core.result import LeftOut, Result
from agent.report import words


def images_used(result: Result) -> str:
    """Count the images given to the model, and name the views of mammograms: a reader sees which is missing."""
    studies = len({i.study_instance_uid for i in result.used})
    counts = Counter(i.modality for i in result.used)
    counted = [words.images(modality, count) + _views(result.used, modality) for modality, count in counts.items()]
    return f"Images used: {words.listed(counted)}{f', from {studies} studies' if studies > 1 else ''}."


def facts_used(result: Result) -> str:
    """Name the facts given to the model; their values stay in the clinical database."""
    return f"Clinical facts used: {words.listed([words.fact(name) for name in result.facts_used])}."


def missing(result: Result) -> str:
    """Say which inputs were not there; empty where nobody looked, because there can be no estimate anyway."""
    if not result.estimates and not result.modalities_missing:
        return ""
    return f"Not available: {words.listed([words.modality(m) for m in result.modalities_missing])}."


def left_out(result: Result, at_hand: Sequence[Instance]) -> list[str]:
    """Say what was there and not used, counted by reason.

    Parameters
    ----------
    result
        What its `left_out` does not name needs no reason: where there is no estimate, no image was looked at.
    at_hand
        The images that came with the result.
    """
    images = [item for item in result.left_out if _is_uid(item.what)]
    facts = [item for item in result.left_out if not _is_uid(item.what)]
    known = {item.what for item in images} | {i.sop_instance_uid for i in result.used}
    others = [i for i in at_hand if i.sop_instance_uid not in known]
    return [
        *([f"Not used, because no estimate can be given: {_counted(others)}."] if _refused(result) and others else []),
        *(f"Not used: {what}: {reason}." for reason, what in _by_reason(images)),
        *(f"Clinical facts not used: {what}: {reason}." for reason, what in _facts_by_reason(facts)),
    ]


def shown(result: Result, heatmaps: int) -> list[str]:
    """Say that not every image has a heatmap, where that is so."""
    more = len(result.influences) - heatmaps
    if more <= 0:
        return []
    return [f"Heatmaps are made of the images with the most influence; {more} more had some."]


def _refused(result: Result) -> bool:
    return not result.used and not result.estimates


def _by_reason(items: Sequence[LeftOut]) -> list[tuple[str, str]]:
    reasons = dict.fromkeys(_reason(item) for item in items)
    return [(reason, _named(Counter(i.modality for i in items if _reason(i) == reason))) for reason in reasons]


def _facts_by_reason(items: Sequence[LeftOut]) -> list[tuple[str, str]]:
    reasons = dict.fromkeys(_reason(item) for item in items)
    return [(r, words.listed([words.fact(i.what) for i in items if _reason(i) == r])) for r in reasons]


def _reason(item: LeftOut) -> str:
    return words.plain(item.reason.rstrip("."))


def _counted(instances: Iterable[Instance]) -> str:
    return _named(Counter(i.modality for i in instances))


def _views(instances: Iterable[Instance], modality: str) -> str:
    if modality != "MG":
        return ""
    counts = Counter(
        words.place(i.laterality, i.view_position) or words.NO_VIEW for i in instances if i.modality == modality
    )
    return f" ({words.listed([name if n == 1 else f'{n} {name}' for name, n in counts.items()])})"


def _named(counts: Counter[str]) -> str:
    return words.listed([words.images(modality, count) for modality, count in counts.items()])


def _is_uid(what: str) -> bool:
    return what.replace(".", "").isdigit()
