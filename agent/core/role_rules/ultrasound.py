"""Ultrasound: Image Type is PS3.3 C.8.5.6.1.1."""

from collections.abc import Sequence
from typing import Final

from agent.core import role_words as w
from agent.core.instance import Traits
from agent.core.role_rules.conditions import (
    NAMES_NEITHER,
    OF_SPECIMEN,
    classes,
    either,
    everything,
    image_type,
    near,
    negated,
    not_classes,
    of_study,
    says,
)
from agent.core.roles import Condition, Rule

_ELSEWHERE: Final = (  # Image Type value 3 (C.8.5.6.1.1); BREAST, CHEST, SMALL PARTS and INTRAOPERATIVE may be ours
    *("ABDOMINAL", "CARDIAC", "ENDOCAVITARY", "ENDORECTAL", "ENDOVAGINAL", "EPICARDIAL", "FETAL HEART", "GYNECOLOGY"),
    *("INTRACARDIAC", "INTRAVASCULAR", "MUSCULOSKELETAL", "NEONATAL HEAD", "OBSTETRICAL", "OPHTHALMIC", "PELVIC"),
    *("RETROPERITONEAL", "SCROTAL", "TEE", "TTE", "THYROID", "TRANSCRANIAL"),
)
_AXILLA_CODES: Final = ("91470000", "T-D8104", "68171009", "T-C4710", "283001", "16051009", "12196003")
_BREAST_CODES: Final = ("76752008", "T-04000", "63762007", "T-04080", "89164003", "129786000")


def _coded(name: str, codes: Sequence[str]) -> Condition:
    return Condition(
        f"the anatomic region is coded {name}", lambda i: not set(i.traits.anatomy_codes).isdisjoint(codes)
    )


def _axilla_alone(traits: Traits) -> bool:
    return w.AXILLA.among(near(traits), but_not=w.BREAST)


def _study_is_of_axilla(traits: Traits) -> bool:
    close = near(traits)
    of_breast = w.BREAST.among(close) or w.LESION.among(close)
    return not of_breast and w.AXILLA.among(of_study(traits), but_not=w.BREAST)


ULTRASOUND: Final = (
    Rule(
        "US-1",
        "US",
        (classes("Enhanced US Volume", "6.2", "6.3"),),
        "",
        "a three-dimensional ultrasound volume: the model reads single images",
    ),
    Rule(
        "US-2",
        "US",
        (not_classes("not an Ultrasound (Multi-frame) Image", "6.1", "3.1", "6", "3"),),
        "",
        "not acquired as an ultrasound image",
    ),
    Rule(
        "US-3",
        "US",
        (image_type("MPR", "MIP", "3D", "3D RENDERING", "VOLUME", "RENDERED"),),
        "",
        "computed from a three-dimensional ultrasound volume",
    ),
    Rule("US-4", "US", (OF_SPECIMEN,), "", "an ultrasound of a specimen, not of the patient"),
    Rule(
        "US-5",
        "US",
        (either(image_type("BIOPSY", "INTERVENTION"), says("the image or series", near, w.PUNCTURE)),),
        "",
        "taken for a biopsy or a marking: a needle, wire or clip may hide the tissue",
    ),
    Rule(
        "US-6",
        "US",
        (
            either(
                image_type("ELASTOGRAPHY", "ELASTO", "STRAIN", "SWE", "SHEAR WAVE", "SHEARWAVE"),
                says("the image or series", near, w.ELASTOGRAPHY),
            ),
        ),
        "",
        "elastography: colours show how stiff the tissue is",
    ),
    Rule(
        "US-7",
        "US",
        (
            either(
                _coded("as the axilla or its nodes", _AXILLA_CODES),
                Condition("the image or series names the axilla and not the breast", lambda i: _axilla_alone(i.traits)),
            ),
        ),
        "us.node",
        "its body part, anatomy, comment or series says the axilla",
    ),
    Rule(
        "US-8",
        "US",
        (Condition("only the study is named, after the axilla alone", lambda i: _study_is_of_axilla(i.traits)),),
        "us.node",
        "the examination is of the axilla alone",
    ),
    Rule(
        "US-9",
        "US",
        (says("a description", everything, w.OTHER_PART), NAMES_NEITHER),
        "",
        "an ultrasound of another part of the body",
    ),
    Rule("US-10", "US", (image_type(*_ELSEWHERE), NAMES_NEITHER), "", "scanned with the setting for another organ"),
    Rule(
        "US-11",
        "US",
        (says("the image or series", near, w.AXILLA), says("the image or series", near, w.BREAST)),
        "us.unknown",
        "named after breast and axilla together: it may show either",
    ),
    Rule("US-12", "US", (says("the image or series", near, w.LYMPH_NODE),), "us.node", "it says a lymph node"),
    Rule(
        "US-13",
        "US",
        (
            either(_coded("as the breast", _BREAST_CODES), says("the image or series", near, w.BREAST, w.LESION)),
            negated(says("the study", of_study, w.AXILLA), "the study does not name the axilla"),
        ),
        "us.tumour",
        "its body part, anatomy, comment or series says the breast or a lesion",
    ),
    Rule("US-14", "US", (), "us.unknown", "it does not say whether it shows the tumour or a node"),
)
