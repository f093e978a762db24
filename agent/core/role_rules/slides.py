"""Slides: Image Type is PS3.3 C.8.12.4.1.1."""

from typing import Final

from agent.core import role_words as w
from agent.core.role_rules.conditions import image_type, not_classes, of_specimen, says
from agent.core.roles import Rule

SLIDES: Final = (
    Rule("SM-1", "SM", (not_classes("not a Whole Slide Microscopy Image", "77.1.6"),), "", "not a whole slide"),
    Rule("SM-2", "SM", (image_type("LABEL"),), "", "the slide's label, which may name the patient"),
    Rule("SM-3", "SM", (image_type("OVERVIEW"),), "", "an overview of the slide, too coarse to see cells"),
    Rule("SM-4", "SM", (image_type("THUMBNAIL"),), "", "a thumbnail of the slide, too coarse to see cells"),
    Rule(
        "SM-5",
        "SM",
        (says("specimen, anatomy or description", of_specimen, w.AXILLA, w.LYMPH_NODE),),
        "sm.node",
        "tiles of a slide of a lymph node",
    ),
    Rule(
        "SM-6",
        "SM",
        (says("specimen, anatomy or description", of_specimen, w.BREAST, w.LESION),),
        "sm.primary",
        "tiles of a slide of the primary tumour",
    ),
    Rule("SM-7", "SM", (), "", "tiles of a slide, not said of which tissue"),
)
