"""Sentences on the evidence: what was used, what was there and left out, what was missing."""

from collections import Counter
from collections.abc import Iterable, Sequence

from agent.core.instance import Instance
from agent.core.result import Influence, LeftOut, Result
from agent.report.words import Words


def images_used(words: Words, result: Result) -> str:
    """Count the images given to the model, and name the views of mammograms: a reader sees which is missing."""
    studies = len({i.study_instance_uid for i in result.used})
    counts = Counter(i.modality for i in result.used)
    images = words.listed([words.images(m, count) + _views(words, result.used, m) for m, count in counts.items()])
    if studies > 1:
        return words.gettext("Images used: {images}, from {studies} studies.", images=images, studies=studies)
    return words.gettext("Images used: {images}.", images=images)


def facts_used(words: Words, result: Result) -> str:
    """Name the facts given to the model; their values stay in the clinical database."""
    return words.gettext("Clinical facts used: {facts}.", facts=words.facts(result.facts_used))


def missing(words: Words, result: Result) -> str:
    """Say which inputs were not there; empty where nobody looked, because there can be no estimate anyway."""
    if not result.estimates and not result.modalities_missing:
        return ""
    if not result.modalities_missing:
        return words.gettext("Every kind of input that the model reads was available.")
    return words.gettext("Not available: {inputs}.", inputs=words.modalities(result.modalities_missing))


def left_out(words: Words, result: Result, at_hand: Sequence[Instance]) -> list[str]:
    """Say what was there and not used, counted by reason.

    Parameters
    ----------
    words
        In which language.
    result
        What its `left_out` does not name needs no reason: where there is no estimate, no image was looked at.
    at_hand
        The images that came with the result.
    """
    images = [item for item in result.left_out if is_uid(item.what)]
    facts = [item for item in result.left_out if not is_uid(item.what)]
    known = {item.what for item in images} | {i.sop_instance_uid for i in result.used}
    others = [i for i in at_hand if i.sop_instance_uid not in known]
    return [
        *([_nobody_looked(words, others)] if _refused(result) and others else []),
        *(
            words.gettext("Not used: {images}: {reason}.", images=_named(words, of), reason=reason)
            for reason, of in _by_reason(words, images)
        ),
        *(
            words.gettext("Clinical facts not used: {facts}: {reason}.", facts=_facts(words, of), reason=reason)
            for reason, of in _by_reason(words, facts)
        ),
    ]


def shown(words: Words, result: Result, heatmaps: int) -> list[str]:
    """Say that not every image has a heatmap, where that is so."""
    more = len(result.influences) - heatmaps
    if more <= 0:
        return []
    return [words.gettext("Heatmaps are made of the images with the most influence; {more} more had some.", more=more)]


def unmarked(words: Words, influences: Iterable[Influence]) -> list[str]:
    """Count the images in which no region is shown: the map has none, or the model gave none that can be used.

    Parameters
    ----------
    words
        In which language.
    influences
        Those in whose map no region stands out.
    """
    found = {(i.sop_instance_uid, i.frame): i for i in influences}.values()
    faint, broken = (Counter(i.modality for i in found if i.is_mapped is is_mapped) for is_mapped in (True, False))
    return [
        *([words.gettext("No region stands out in {images}.", images=_counted(words, faint))] if faint else []),
        *(
            [words.gettext("The model gave no usable map of {images}.", images=_counted(words, broken))]
            if broken
            else []
        ),
    ]


def _refused(result: Result) -> bool:
    return not result.used and not result.estimates


def _nobody_looked(words: Words, others: Iterable[Instance]) -> str:
    images = _counted(words, Counter(i.modality for i in others))
    return words.gettext("Not used, because no estimate can be given: {images}.", images=images)


def _by_reason(words: Words, items: Sequence[LeftOut]) -> list[tuple[str, list[LeftOut]]]:
    """Group what was left out by the reason, in the order in which reasons come."""
    groups: dict[str, list[LeftOut]] = {}
    for item in items:
        groups.setdefault(words.stored(item.reason.rstrip(".")), []).append(item)
    return list(groups.items())


def _named(words: Words, images: Sequence[LeftOut]) -> str:
    return _counted(words, Counter(i.modality for i in images))


def _facts(words: Words, facts: Sequence[LeftOut]) -> str:
    return words.facts([item.what for item in facts])


def _counted(words: Words, counts: Counter[str]) -> str:
    return words.listed([words.images(modality, count) for modality, count in counts.items()])


def _views(words: Words, instances: Iterable[Instance], modality: str) -> str:
    if modality != "MG":
        return ""
    counts = Counter(
        words.place(i.laterality, i.view_position) or words.gettext("view unknown")
        for i in instances
        if i.modality == modality
    )
    return f" ({words.listed([name if n == 1 else f'{n} {name}' for name, n in counts.items()])})"


def is_uid(what: str) -> bool:
    """Whether what was left out is an image: facts have names."""
    return what.replace(".", "").isdigit()
