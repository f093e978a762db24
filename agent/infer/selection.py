"""Which images of a case can bear on the question, and why the others cannot. No pixels are looked at."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

from agent.core.instance import Instance
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.roles import Verdict
from agent.core.usable import Window, unusable


def refusal(
    instance: Instance, verdict: Verdict, sides: Collection[Side], window: Window, modalities: Collection[str]
) -> str:
    """Say why an image is not used; empty if it can be.

    Parameters
    ----------
    instance
        Header of the image.
    verdict
        What it is, and by which rule.
    sides
        The axillae of which an estimate is wanted.
    window
        Days whose images count.
    modalities
        What the bundle can use.
    """
    if instance.modality not in modalities:
        return f"the model does not use {instance.modality}"
    return verdict.unused or unusable(instance, sides, window)


def age_order(stored: StoredInstance) -> tuple[date, datetime, int]:
    """Sort key: when it was taken, then when it came."""
    return stored.instance.acquired_on or date.min, stored.received_at, stored.id


def newest_studies_first(stored: Iterable[StoredInstance]) -> list[list[StoredInstance]]:
    """Group images by study: the study with the newest image first, within it in order of arrival."""
    studies: dict[str, list[StoredInstance]] = {}
    for one in stored:
        studies.setdefault(one.instance.study_instance_uid, []).append(one)

    def newest(study: Sequence[StoredInstance]) -> tuple[date, datetime, int]:
        return max(age_order(one) for one in study)

    return [
        sorted(study, key=lambda one: (one.received_at, one.id))
        for study in sorted(studies.values(), key=newest, reverse=True)
    ]
