"""Which received objects a question can use, and why the others are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.core.instance import Instance

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_NOT_READ: Final = {  # objects about images: never input, whoever made them
    _STORAGE + "88.": "a structured document or key object selection",
    _STORAGE + "11.": "a presentation state",
    _STORAGE + "7.": "a secondary capture",
}
_NOT_READ_MODALITIES: Final = {
    "SR": "a structured document",
    "KO": "a key object selection",
    "PR": "a presentation state",
}

_MAMMOGRAMS: Final = frozenset({_STORAGE + "1.2", _STORAGE + "1.2.1"})
_ULTRASOUND: Final = frozenset({_STORAGE + "6.1", _STORAGE + "3.1"})
_MR: Final = frozenset({_STORAGE + "4", _STORAGE + "4.1"})
_SLIDES: Final = frozenset({_STORAGE + "77.1.6"})
_TOMOSYNTHESIS: Final = frozenset({_STORAGE + "13.1.3", _STORAGE + "13.1.4", _STORAGE + "13.1.5"})


@dataclass(frozen=True, slots=True)
class Use:
    """What a question reads of one modality. Without `views`, any view."""

    sop_classes: frozenset[str]
    views: frozenset[str] = frozenset()
    multi_frame: bool = True


USES: Final[Mapping[tuple[str, str], Use]] = {
    ("aln", "MG"): Use(_MAMMOGRAMS, frozenset({"CC", "MLO"}), multi_frame=False),
    ("aln", "US"): Use(_ULTRASOUND),
    ("aln", "MR"): Use(_MR),
    ("nsln", "MG"): Use(_MAMMOGRAMS, frozenset({"CC", "MLO"}), multi_frame=False),
    ("nsln", "US"): Use(_ULTRASOUND),
    ("nsln", "MR"): Use(_MR),
    ("histology", "SM"): Use(_SLIDES),
}
"""By question and modality, what can be used."""


def irrelevance(instance: Instance, question: str, modalities: frozenset[str]) -> str:
    """Say why a question cannot use an instance; empty: it can.

    Parameters
    ----------
    modalities
        What the active bundles of the question read.
    """
    for prefix, what in _NOT_READ.items():
        if f"{instance.sop_class_uid}.".startswith(prefix):
            return f"not relevant: {what}"
    if what := _NOT_READ_MODALITIES.get(instance.modality, ""):
        return f"not relevant: {what}"
    use = USES.get((question, instance.modality))
    if use is None or instance.modality not in modalities:
        return f"not relevant: no active model uses {instance.modality or 'objects without a modality'}"
    return _unsuitable(instance, use)


def _unsuitable(instance: Instance, use: Use) -> str:
    if instance.sop_class_uid in _TOMOSYNTHESIS:
        return "not relevant: tomosynthesis, only two-dimensional mammograms are used"
    if instance.sop_class_uid not in use.sop_classes:
        return f"not relevant: no active model uses this SOP class of {instance.modality}"
    if instance.frames > 1 and not use.multi_frame:
        return "not relevant: several frames, only two-dimensional mammograms are used"
    view = instance.view_position
    if not use.views or view in use.views:
        return ""
    if view.startswith(("M", "S")) and view.lstrip("MS").startswith(("CC", "LO")):
        return "not relevant: a spot compression or magnification view"
    return f"not relevant: the view is {view or 'not stated'}, only {' and '.join(sorted(use.views))} are used"
