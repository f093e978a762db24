"""MR: Image Type is PS3.3 C.8.3.1.1.1 and C.8.13.3.1.1."""

import re
from typing import Final

from agent.core import role_words as w
from agent.core.instance import Instance
from agent.core.role_rules.conditions import (
    NAMES_NEITHER,
    classes,
    either,
    everything,
    image_type,
    not_classes,
    says,
    series_says,
)
from agent.core.roles import Condition, Rule

_T2_ECHO_MS: Final = 60.0  # T1-weighted gradient and spin echoes have less than 30
_COMPUTED_ANEW: Final = Condition(
    "Image Type is DERIVED\\SECONDARY, and nothing says that it is but compressed or resampled",
    lambda i: _derived(i) and i.traits.image_type[1:2] == ("SECONDARY",) and not _reencoded(i),
)
_UNCOMPRESSED: Final = frozenset(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))
_REENCODED: Final = re.compile("compress|komprim|lossy|resampl|jpeg|rle|decimat", re.IGNORECASE)


def _derived(instance: Instance) -> bool:
    return instance.traits.image_type[:1] == ("DERIVED",)


def _reencoded(instance: Instance) -> bool:
    """Whether an image labelled DERIVED says that only its encoding is (PS3.3 C.7.6.1.1.3)."""
    traits = instance.traits
    compressed = instance.transfer_syntax_uid not in _UNCOMPRESSED
    said = any(_REENCODED.search(text) for text in (*traits.derivation, *traits.comments, *traits.image_type[2:]))
    return traits.lossy or compressed or said


def _mr(number: int, when: Condition, reason: str) -> Rule:
    return Rule(f"MR-{number}", "MR", (when,), "", reason)


_DYNAMIC: Final = "whether it is of a dynamic series is told by time and place of its slices"
MAGNETIC: Final = (
    _mr(1, classes("MR Spectroscopy", "4.2"), "MR spectroscopy: spectra, no image"),
    _mr(2, not_classes("not an MR Image", "4", "4.1", "4.4"), "not acquired as an image of magnetic resonance"),
    Rule(
        "MR-3",
        "MR",
        (says("a description", everything, w.OTHER_PART), NAMES_NEITHER),
        "",
        "an MR of another part of the body",
    ),
    _mr(4, either(image_type("LOCALIZER", "SCOUT"), series_says(w.SCOUT)), "a scout, to plan the examination by"),
    _mr(5, series_says(w.CALIBRATION), "a calibration or the tracking of the bolus"),
    _mr(
        6,
        either(image_type("SUB", "SUBTRACT", "SUBTRACTION", "SUBTRACTED"), series_says(w.SUBTRACTION)),
        "a subtraction: the model subtracts the phases itself",
    ),
    _mr(
        7,
        either(
            image_type("MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "MEAN_IP"), series_says(w.PROJECTION)
        ),
        "a projection (MIP), computed from slices",
    ),
    _mr(
        8,
        either(image_type("MPR", "REFORMATTED", "CURVED", "VOLUME RENDERING", "RENDERED"), series_says(w.REFORMAT)),
        "a plane computed from other slices",
    ),
    _mr(
        9,
        either(
            image_type("DIFFUSION", "ADC", "EADC", "TRACEW", "TRACE", "FA", "DIFFUSION_ANISO", "ISOTROPIC"),
            Condition("a diffusion b-value", lambda i: i.traits.b_value is not None),
            series_says(w.DIFFUSION),
        ),
        "diffusion: a b-value image or an ADC map",
    ),
    _mr(
        10,
        either(
            image_type(
                "T1 MAP", "T2 MAP", "T1_MAP", "T2_MAP", "PHASE MAP", "VELOCITY MAP", "B0 MAP", "B1 MAP", "KTRANS"
            ),
            image_type(
                "PHASE", "P", "R", "I", "REAL", "IMAGINARY", "FAT", "FAT_FRACTION", "IN_PHASE", "OPP_PHASE", "OUT_PHASE"
            ),
            series_says(w.MAP),
        ),
        "a map or a part of the signal (phase, real, fat), not the picture of the tissue",
    ),
    _mr(
        11,
        either(
            image_type("T2", "STIR", "FLAIR", "T2_STAR", "PROTON_DENSITY", "TOF", "PHASE_CONTRAST", "SPECTROSCOPY"),
            Condition("an echo time of 60 ms or more", lambda i: (i.traits.echo_time_ms or 0) >= _T2_ECHO_MS),
            series_says(w.OTHER_WEIGHTING),
        ),
        "not T1-weighted (T2, STIR, proton density, angiography ...): no phase of a dynamic series",
    ),
    _mr(12, _COMPUTED_ANEW, "computed from other images; nothing says that it was only encoded anew"),
    Rule(
        "MR-13",
        "MR",
        (classes("Enhanced or Legacy Converted Enhanced MR", "4.1", "4.4"),),
        "mr.dce",
        f"T1-weighted or not said, several frames; {_DYNAMIC}",
    ),
    Rule(
        "MR-14",
        "MR",
        (Condition("Image Type is DERIVED", _derived),),
        "mr.dce",
        f"an original that was compressed or resampled; {_DYNAMIC}",
    ),
    Rule(
        "MR-15",
        "MR",
        (Condition("a contrast agent is stated", lambda i: i.traits.with_contrast),),
        "mr.dce",
        f"T1-weighted or not said, with contrast; {_DYNAMIC}",
    ),
    Rule(
        "MR-16",
        "MR",
        (Condition("a temporal position is stated", lambda i: i.traits.temporal_position is not None),),
        "mr.dce",
        f"T1-weighted or not said, one of several times; {_DYNAMIC}",
    ),
    Rule("MR-17", "MR", (), "mr.dce", f"T1-weighted or not said, no contrast stated; {_DYNAMIC}"),
)
