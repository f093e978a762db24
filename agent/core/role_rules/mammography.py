"""Mammograms: Image Type is PS3.3 C.7.6.1.1.2 with C.8.11.7, the view C.8.11.7.1.3."""

import re
from typing import Final

from agent.core import role_words as w
from agent.core.instance import Instance
from agent.core.role_rules.conditions import OF_SPECIMEN, STORAGE, classes, either, image_type, not_classes, series_says
from agent.core.roles import Condition, Rule

_MAGNIFIED: Final = 1.3  # a contact view has up to about 1.1
_FILM: Final = re.compile(
    r"(?P<how>M?S?)(?P<view>CC|MLO|ML|LM|LMO|FB|SIO|ISO|XCCL|XCCM|XCC|AT|CV)(?P<more>(?:ID|CV|TAN|AT|AC|RM|RL|RS|RI)*)"
)
_CC_OR_MLO: Final = ("CC", "MLO")


def _view(*views: str) -> Condition:
    return Condition(f"the view is {' or '.join(views)}", lambda i: _film(i, "view") in views)


def _film(instance: Instance, part: str) -> str:
    found = _FILM.fullmatch(instance.view_position)
    return found[part] if found else ""


def _how(mark: str, words: str) -> Condition:
    return Condition(f"the view is marked {words}", lambda i: mark in _film(i, "how"))


def _modified(*marks: str) -> Condition:
    def holds(instance: Instance) -> bool:
        more = _film(instance, "more")
        return not {more[n : n + 2] for n in range(len(more))}.isdisjoint(mark[:2] for mark in marks)

    return Condition(f"the view is modified by {' or '.join(marks)}", holds)


def is_implant_displaced(instance: Instance) -> bool:
    """Whether a mammogram shows the breast with its implant pushed back."""
    return "ID" in _film(instance, "more")


_PROCESSING: Final = Condition(
    "For Processing",
    lambda i: i.presentation_intent == "FOR PROCESSING" or i.sop_class_uid == f"{STORAGE}1.2.1",
)
_UNPROCESSED: Final = "FOR PROCESSING: only images for presentation are used, which is how the model was trained"
_NOT_USED: Final = "only CC and MLO are used"


def _other_view(number: int, view: str, name: str) -> Rule:
    return Rule(f"MG-{number}", "MG", (_view(view),), "", f"the view is {view} ({name}); {_NOT_USED}")


MAMMOGRAPHY: Final = (
    Rule(
        "MG-1",
        "MG",
        (classes("Breast Tomosynthesis", "13.1.3"),),
        "",
        "tomosynthesis, reconstructed slices: only two-dimensional mammograms are used",
    ),
    Rule(
        "MG-2",
        "MG",
        (either(classes("Breast Projection X-Ray", "13.1.4", "13.1.5"), image_type("TOMO_PROJ", "TOMO_SCOUT")),),
        "",
        "tomosynthesis, projections: low-dose exposures at an angle, no full mammogram",
    ),
    Rule(
        "MG-3",
        "MG",
        (either(image_type("GENERATED_2D", "SYNTHETIC", "SYNTHESIZED"), series_says(w.SYNTHETIC)),),
        "",
        "a synthetic mammogram, computed from tomosynthesis: its texture is not that of an exposure",
    ),
    Rule(
        "MG-4",
        "MG",
        (either(image_type("TOMOSYNTHESIS", "TOMO"), series_says(w.TOMOSYNTHESIS)),),
        "",
        "tomosynthesis: only two-dimensional mammograms are used",
    ),
    Rule(
        "MG-5",
        "MG",
        (not_classes("not a Digital Mammography X-Ray Image", "1.2", "1.2.1"),),
        "",
        "not acquired as a digital mammogram",
    ),
    Rule(
        "MG-6",
        "MG",
        (Condition("several frames", lambda i: i.frames > 1),),
        "",
        "several frames: only two-dimensional mammograms are used",
    ),
    Rule(
        "MG-7",
        "MG",
        (OF_SPECIMEN,),
        "",
        "a radiograph of a specimen, not of the breast",
    ),
    Rule(
        "MG-8",
        "MG",
        (
            either(
                image_type("LOW_ENERGY", "HIGH_ENERGY", "RECOMBINED", "SUBTRACTION", "SUBTRACT"),
                series_says(w.CONTRAST_MAMMOGRAPHY),
                Condition("a contrast agent is stated", lambda i: i.traits.with_contrast),
            ),
        ),
        "",
        "contrast mammography: iodine changes what the image shows",
    ),
    Rule(
        "MG-9",
        "MG",
        (either(image_type("STEREO", "STEREO_SCOUT"), series_says(w.INTERVENTION)),),
        "",
        "taken for a biopsy, a marking or a ductogram: a needle, wire, clip or contrast may hide the tissue",
    ),
    Rule(
        "MG-10",
        "MG",
        (
            either(
                _how("M", "magnification"),
                Condition("magnified 1.3 times or more", lambda i: (i.traits.magnification or 1) >= _MAGNIFIED),
                series_says(w.MAGNIFICATION),
            ),
        ),
        "",
        "a magnification view: it shows a part of the breast",
    ),
    Rule(
        "MG-11",
        "MG",
        (either(_how("S", "spot compression"), series_says(w.SPOT)),),
        "",
        "a spot compression view: it shows a part of the breast",
    ),
    Rule("MG-12", "MG", (_modified("RM", "RL", "RS", "RI"),), "", f"a rolled view; {_NOT_USED} as they are"),
    Rule("MG-13", "MG", (_modified("TAN"),), "", "a tangential view: it shows a part of the breast"),
    Rule("MG-14", "MG", (_modified("CV"),), "", "a cleavage view: it shows the inner part of both breasts"),
    Rule("MG-15", "MG", (_modified("AT"),), "", "a view of the axillary tail: it shows a part of the breast"),
    Rule("MG-16", "MG", (_modified("AC"),), "", "compressed at the front only: the breast is not shown as a whole"),
    Rule("MG-17", "MG", (_view("CC"), _PROCESSING), "mg.cc", _UNPROCESSED, left_out=True),
    Rule("MG-18", "MG", (_view("MLO"), _PROCESSING), "mg.mlo", _UNPROCESSED, left_out=True),
    Rule(
        "MG-19",
        "MG",
        (_view("CC"), _modified("ID")),
        "mg.cc",
        "CC with the implant displaced: it shows the breast without the implant, so it goes before the other CC",
    ),
    Rule(
        "MG-20",
        "MG",
        (_view("MLO"), _modified("ID")),
        "mg.mlo",
        "MLO with the implant displaced: it shows the breast without the implant, so it goes before the other MLO",
    ),
    Rule("MG-21", "MG", (_view("CC"),), "mg.cc", "a CC view, for presentation"),
    Rule("MG-22", "MG", (_view("MLO"),), "mg.mlo", "an MLO view, for presentation"),
    _other_view(23, "ML", "medio-lateral"),
    _other_view(24, "LM", "latero-medial"),
    _other_view(25, "LMO", "latero-medial oblique"),
    _other_view(26, "FB", "from below"),
    _other_view(27, "SIO", "superolateral to inferomedial oblique"),
    _other_view(28, "ISO", "inferomedial to superolateral oblique"),
    _other_view(29, "XCCL", "exaggerated cranio-caudal, laterally"),
    _other_view(30, "XCCM", "exaggerated cranio-caudal, medially"),
    _other_view(31, "XCC", "exaggerated cranio-caudal"),
    _other_view(32, "AT", "axillary tail"),
    _other_view(33, "CV", "cleavage"),
    Rule(
        "MG-34",
        "MG",
        (Condition("no view is stated", lambda i: not i.view_position),),
        "",
        f"the view is not stated; {_NOT_USED}",
    ),
    Rule("MG-35", "MG", (), "", f"a view of an unknown name; {_NOT_USED}"),
)
