"""What a condition of the table can be, and what of an object it reads."""

from collections.abc import Callable, Sequence
from typing import Final

from agent.core import role_words as w
from agent.core.instance import Instance, Traits
from agent.core.role_words import Words
from agent.core.roles import Condition

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."

Texts = Callable[[Traits], Sequence[str]]


def classes(words: str, *numbers: str) -> Condition:
    """Of a SOP class below the storage root, or below such a class."""
    prefixes = tuple(f"{STORAGE}{number}." for number in numbers)
    return Condition(words, lambda i: f"{i.sop_class_uid}.".startswith(prefixes))


def not_classes(words: str, *numbers: str) -> Condition:
    """Of none of some SOP classes below the storage root."""
    uids = {STORAGE + number for number in numbers}
    return Condition(words, lambda i: i.sop_class_uid not in uids)


def image_type(*values: str) -> Condition:
    """One of the values of Image Type from the third on."""
    return Condition(f"Image Type holds {' or '.join(values)}", lambda i: not _kinds(i).isdisjoint(values))


def _kinds(instance: Instance) -> frozenset[str]:
    return frozenset(value.upper() for value in instance.traits.image_type[2:])


def of_modality(modality: str) -> Condition:
    """Of a modality."""
    return Condition(f"Modality is {modality}", lambda i: i.modality == modality)


def says(where: str, texts: Texts, *words: Words) -> Condition:
    """One of the texts holds one of the words."""
    named = " or ".join(one.name for one in words)
    return Condition(f"{where} names {named}", lambda i: any(one.among(texts(i.traits)) for one in words))


def either(*conditions: Condition) -> Condition:
    """One of the conditions holds."""
    return Condition(" or ".join(one.words for one in conditions), lambda i: any(one.holds(i) for one in conditions))


def negated(condition: Condition, words: str) -> Condition:
    """The condition does not hold."""
    return Condition(words, lambda i: not condition.holds(i))


def of_image(traits: Traits) -> Sequence[str]:
    """Return what is said of the image."""
    return traits.body_part, *traits.anatomy, *traits.comments


def of_series(traits: Traits) -> Sequence[str]:
    """Return what is said of its series."""
    return traits.series_description, traits.protocol_name


def of_study(traits: Traits) -> Sequence[str]:
    """Return what is said of its study."""
    return traits.study_description, traits.procedure


def near(traits: Traits) -> Sequence[str]:
    """Return what is said of the image and its series."""
    return *of_image(traits), *of_series(traits)


def everything(traits: Traits) -> Sequence[str]:
    """Return all that is said."""
    return *near(traits), *of_study(traits)


def of_specimen(traits: Traits) -> Sequence[str]:
    """Return all that is said, the specimens first."""
    return *traits.specimen, *everything(traits)


def series_says(*words: Words) -> Condition:
    """What is said of the series holds one of the words."""
    return says("the series", of_series, *words)


OF_SPECIMEN: Final = either(
    Condition("a specimen is described", lambda i: bool(i.traits.specimen)),
    says("a description", everything, w.SPECIMEN),
)
NAMES_OURS: Final = says("a description", everything, w.BREAST, w.AXILLA)
NAMES_NEITHER: Final = negated(NAMES_OURS, "nothing names the breast or the axilla")
