"""What holds of every object whatever its modality, and what no question reads; SOP classes are those of PS3.4 B.5."""

from typing import Final

from agent.core.role_rules.conditions import classes, either, of_modality
from agent.core.roles import ANY, Condition, Rule

_CONTRADICTION: Final = Condition(
    "Image Laterality, Laterality, the frames or the anatomy name both left and right",
    lambda i: {"L", "R"} <= set(i.traits.sides),
)
_QUALITY_CONTROL: Final = Condition("Quality Control Image is YES", lambda i: i.traits.quality_control)

FIRST: Final = (
    Rule("ANY-1", ANY, (_CONTRADICTION,), "", "the image contradicts itself: it says left and right"),
    Rule("ANY-2", ANY, (_QUALITY_CONTROL,), "", "an image of a test object, for quality control"),
)
"""What no site can change."""

DOCUMENTS: Final = (
    Rule(
        "ANY-3",
        ANY,
        (either(classes("a key object selection", "88.59"), of_modality("KO")),),
        "",
        "a key object selection",
    ),
    Rule(
        "ANY-4",
        ANY,
        (either(classes("a structured report", "88"), of_modality("SR")),),
        "",
        "a structured report: no image",
    ),
    Rule("ANY-5", ANY, (either(classes("a presentation state", "11"), of_modality("PR")),), "", "a presentation state"),
    Rule(
        "ANY-6",
        ANY,
        (classes("a Secondary Capture", "7"),),
        "",
        "a secondary capture: a screenshot, a scanned page or film, not what the scanner acquired",
    ),
    Rule(
        "ANY-7",
        ANY,
        (either(classes("a segmentation", "66.4", "66.5", "66.7"), of_modality("SEG")),),
        "",
        "a segmentation",
    ),
    Rule(
        "ANY-8",
        ANY,
        (either(classes("annotations", "91"), of_modality("ANN")),),
        "",
        "annotations of a slide: no image",
    ),
    Rule("ANY-9", ANY, (classes("an encapsulated document", "104"),), "", "a document (PDF, CDA): no image"),
    Rule(
        "ANY-10",
        ANY,
        (classes("raw data, a registration, waveforms or radiotherapy", "66", "9", "481"),),
        "",
        "raw data, a registration, a waveform or radiotherapy: no image to read",
    ),
)

_NAMES: Final = {
    "CT": "a CT",
    "PT": "a PET",
    "NM": "scintigraphy",
    "CR": "a plain radiograph",
    "DX": "a plain radiograph",
    "RG": "a digitised film",
    "XA": "angiography",
    "RF": "fluoroscopy",
}
OTHERS: Final = (
    *(
        Rule(f"OT-{n}", modality, (), "", f"{name}: no question here reads it")
        for n, (modality, name) in enumerate(_NAMES.items(), 1)
    ),
    Rule(
        f"OT-{len(_NAMES) + 1}",
        ANY,
        (Condition("no modality is stated", lambda i: not i.modality),),
        "",
        "it does not state a modality",
    ),
    Rule(f"OT-{len(_NAMES) + 2}", ANY, (), "", "of a modality that no question here reads"),
)
