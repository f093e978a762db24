"""The table: what every received object is, in the words of a radiographer. The first row that holds decides.

Image Type is PS3.3 C.7.6.1.1.2 with C.8.11.7 (mammography), C.8.5.6.1.1 (ultrasound), C.8.3.1.1.1 and C.8.13.3.1.1
(MR), C.8.12.4.1.1 (slides); SOP classes are those of PS3.4 B.5.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from agent.core import role_words as w
from agent.core.instance import Instance, Traits
from agent.core.role_words import Words
from agent.core.roles import ANY, Condition, RoleTable, Rule

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_MAGNIFIED: Final = 1.3  # a contact view has up to about 1.1
_T2_ECHO_MS: Final = 60.0  # T1-weighted gradient and spin echoes have less than 30

Texts = Callable[[Traits], Sequence[str]]


# ── what a condition can be ──


def _classes(words: str, *numbers: str) -> Condition:
    """Of a SOP class below the storage root, or below such a class."""
    prefixes = tuple(f"{_STORAGE}{number}." for number in numbers)
    return Condition(words, lambda i: f"{i.sop_class_uid}.".startswith(prefixes))


def _not_classes(words: str, *numbers: str) -> Condition:
    uids = {_STORAGE + number for number in numbers}
    return Condition(words, lambda i: i.sop_class_uid not in uids)


def _kind(*values: str) -> Condition:
    """One of the values of Image Type from the third on."""
    return Condition(f"Image Type holds {' or '.join(values)}", lambda i: not _kinds(i).isdisjoint(values))


def _kinds(instance: Instance) -> frozenset[str]:
    return frozenset(value.upper() for value in instance.traits.image_type[2:])


def _modality(modality: str) -> Condition:
    return Condition(f"Modality is {modality}", lambda i: i.modality == modality)


def _says(where: str, texts: Texts, *words: Words) -> Condition:
    named = " or ".join(one.name for one in words)
    return Condition(f"{where} names {named}", lambda i: any(one.among(texts(i.traits)) for one in words))


def _or(*conditions: Condition) -> Condition:
    return Condition(" or ".join(one.words for one in conditions), lambda i: any(one.holds(i) for one in conditions))


def _not(condition: Condition, words: str) -> Condition:
    return Condition(words, lambda i: not condition.holds(i))


def _of_image(traits: Traits) -> Sequence[str]:
    return traits.body_part, *traits.anatomy, *traits.comments


def _of_series(traits: Traits) -> Sequence[str]:
    return traits.series_description, traits.protocol_name


def _of_study(traits: Traits) -> Sequence[str]:
    return traits.study_description, traits.procedure


def _near(traits: Traits) -> Sequence[str]:
    return *_of_image(traits), *_of_series(traits)


def _all(traits: Traits) -> Sequence[str]:
    return *_near(traits), *_of_study(traits)


def _of_specimen(traits: Traits) -> Sequence[str]:
    return *traits.specimen, *_all(traits)


# ── every object ──

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

_DOCUMENTS: Final = (
    Rule(
        "ANY-3", ANY, (_or(_classes("a key object selection", "88.59"), _modality("KO")),), "", "a key object selection"
    ),
    Rule(
        "ANY-4",
        ANY,
        (_or(_classes("a structured report", "88"), _modality("SR")),),
        "",
        "a structured report: no image",
    ),
    Rule("ANY-5", ANY, (_or(_classes("a presentation state", "11"), _modality("PR")),), "", "a presentation state"),
    Rule(
        "ANY-6",
        ANY,
        (_classes("a Secondary Capture", "7"),),
        "",
        "a secondary capture: a screenshot, a scanned page or film, not what the scanner acquired",
    ),
    Rule(
        "ANY-7", ANY, (_or(_classes("a segmentation", "66.4", "66.5", "66.7"), _modality("SEG")),), "", "a segmentation"
    ),
    Rule("ANY-8", ANY, (_or(_classes("annotations", "91"), _modality("ANN")),), "", "annotations of a slide: no image"),
    Rule("ANY-9", ANY, (_classes("an encapsulated document", "104"),), "", "a document (PDF, CDA): no image"),
    Rule(
        "ANY-10",
        ANY,
        (_classes("raw data, a registration, waveforms or radiotherapy", "66", "9", "481"),),
        "",
        "raw data, a registration, a waveform or radiotherapy: no image to read",
    ),
)


# ── mammography ──

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


def _series(*words: Words) -> Condition:
    return _says("the series", _of_series, *words)


def is_implant_displaced(instance: Instance) -> bool:
    """Whether a mammogram shows the breast with its implant pushed back."""
    return "ID" in _film(instance, "more")


_PROCESSING: Final = Condition(
    "For Processing",
    lambda i: i.presentation_intent == "FOR PROCESSING" or i.sop_class_uid == f"{_STORAGE}1.2.1",
)
_UNPROCESSED: Final = "FOR PROCESSING: only images for presentation are used, which is how the model was trained"
_NOT_USED: Final = "only CC and MLO are used"


def _other_view(number: int, view: str, name: str) -> Rule:
    return Rule(f"MG-{number}", "MG", (_view(view),), "", f"the view is {view} ({name}); {_NOT_USED}")


_OF_SPECIMEN: Final = _or(
    Condition("a specimen is described", lambda i: bool(i.traits.specimen)),
    _says("a description", _all, w.SPECIMEN),
)
_MAMMOGRAPHY: Final = (
    Rule(
        "MG-1",
        "MG",
        (_classes("Breast Tomosynthesis", "13.1.3"),),
        "",
        "tomosynthesis, reconstructed slices: only two-dimensional mammograms are used",
    ),
    Rule(
        "MG-2",
        "MG",
        (_or(_classes("Breast Projection X-Ray", "13.1.4", "13.1.5"), _kind("TOMO_PROJ", "TOMO_SCOUT")),),
        "",
        "tomosynthesis, projections: low-dose exposures at an angle, no full mammogram",
    ),
    Rule(
        "MG-3",
        "MG",
        (_or(_kind("GENERATED_2D", "SYNTHETIC", "SYNTHESIZED"), _series(w.SYNTHETIC)),),
        "",
        "a synthetic mammogram, computed from tomosynthesis: its texture is not that of an exposure",
    ),
    Rule(
        "MG-4",
        "MG",
        (_or(_kind("TOMOSYNTHESIS", "TOMO"), _series(w.TOMOSYNTHESIS)),),
        "",
        "tomosynthesis: only two-dimensional mammograms are used",
    ),
    Rule(
        "MG-5",
        "MG",
        (_not_classes("not a Digital Mammography X-Ray Image", "1.2", "1.2.1"),),
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
        (_OF_SPECIMEN,),
        "",
        "a radiograph of a specimen, not of the breast",
    ),
    Rule(
        "MG-8",
        "MG",
        (
            _or(
                _kind("LOW_ENERGY", "HIGH_ENERGY", "RECOMBINED", "SUBTRACTION", "SUBTRACT"),
                _series(w.CONTRAST_MAMMOGRAPHY),
                Condition("a contrast agent is stated", lambda i: i.traits.with_contrast),
            ),
        ),
        "",
        "contrast mammography: iodine changes what the image shows",
    ),
    Rule(
        "MG-9",
        "MG",
        (_or(_kind("STEREO", "STEREO_SCOUT"), _series(w.INTERVENTION)),),
        "",
        "taken for a biopsy, a marking or a ductogram: a needle, wire, clip or contrast may hide the tissue",
    ),
    Rule(
        "MG-10",
        "MG",
        (
            _or(
                _how("M", "magnification"),
                Condition("magnified 1.3 times or more", lambda i: (i.traits.magnification or 1) >= _MAGNIFIED),
                _series(w.MAGNIFICATION),
            ),
        ),
        "",
        "a magnification view: it shows a part of the breast",
    ),
    Rule(
        "MG-11",
        "MG",
        (_or(_how("S", "spot compression"), _series(w.SPOT)),),
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


# ── ultrasound ──

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
    return w.AXILLA.among(_near(traits), but_not=w.BREAST)


def _study_is_of_axilla(traits: Traits) -> bool:
    near = _near(traits)
    of_breast = w.BREAST.among(near) or w.LESION.among(near)
    return not of_breast and w.AXILLA.among(_of_study(traits), but_not=w.BREAST)


_NAMES_OURS: Final = _says("a description", _all, w.BREAST, w.AXILLA)
_NAMES_NEITHER: Final = _not(_NAMES_OURS, "nothing names the breast or the axilla")

_ULTRASOUND: Final = (
    Rule(
        "US-1",
        "US",
        (_classes("Enhanced US Volume", "6.2", "6.3"),),
        "",
        "a three-dimensional ultrasound volume: the model reads single images",
    ),
    Rule(
        "US-2",
        "US",
        (_not_classes("not an Ultrasound (Multi-frame) Image", "6.1", "3.1", "6", "3"),),
        "",
        "not acquired as an ultrasound image",
    ),
    Rule(
        "US-3",
        "US",
        (_kind("MPR", "MIP", "3D", "3D RENDERING", "VOLUME", "RENDERED"),),
        "",
        "computed from a three-dimensional ultrasound volume",
    ),
    Rule("US-4", "US", (_OF_SPECIMEN,), "", "an ultrasound of a specimen, not of the patient"),
    Rule(
        "US-5",
        "US",
        (_or(_kind("BIOPSY", "INTERVENTION"), _says("the image or series", _near, w.PUNCTURE)),),
        "",
        "taken for a biopsy or a marking: a needle, wire or clip may hide the tissue",
    ),
    Rule(
        "US-6",
        "US",
        (
            _or(
                _kind("ELASTOGRAPHY", "ELASTO", "STRAIN", "SWE", "SHEAR WAVE", "SHEARWAVE"),
                _says("the image or series", _near, w.ELASTOGRAPHY),
            ),
        ),
        "",
        "elastography: colours show how stiff the tissue is",
    ),
    Rule(
        "US-7",
        "US",
        (
            _or(
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
        (_says("a description", _all, w.OTHER_PART), _NAMES_NEITHER),
        "",
        "an ultrasound of another part of the body",
    ),
    Rule("US-10", "US", (_kind(*_ELSEWHERE), _NAMES_NEITHER), "", "scanned with the setting for another organ"),
    Rule(
        "US-11",
        "US",
        (_says("the image or series", _near, w.AXILLA), _says("the image or series", _near, w.BREAST)),
        "us.unknown",
        "named after breast and axilla together: it may show either",
    ),
    Rule("US-12", "US", (_says("the image or series", _near, w.LYMPH_NODE),), "us.node", "it says a lymph node"),
    Rule(
        "US-13",
        "US",
        (
            _or(_coded("as the breast", _BREAST_CODES), _says("the image or series", _near, w.BREAST, w.LESION)),
            _not(_says("the study", _of_study, w.AXILLA), "the study does not name the axilla"),
        ),
        "us.tumour",
        "its body part, anatomy, comment or series says the breast or a lesion",
    ),
    Rule("US-14", "US", (), "us.unknown", "it does not say whether it shows the tumour or a node"),
)


# ── MR ──

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
_MAGNETIC: Final = (
    _mr(1, _classes("MR Spectroscopy", "4.2"), "MR spectroscopy: spectra, no image"),
    _mr(2, _not_classes("not an MR Image", "4", "4.1", "4.4"), "not acquired as an image of magnetic resonance"),
    Rule(
        "MR-3",
        "MR",
        (_says("a description", _all, w.OTHER_PART), _NAMES_NEITHER),
        "",
        "an MR of another part of the body",
    ),
    _mr(4, _or(_kind("LOCALIZER", "SCOUT"), _series(w.SCOUT)), "a scout, to plan the examination by"),
    _mr(5, _series(w.CALIBRATION), "a calibration or the tracking of the bolus"),
    _mr(
        6,
        _or(_kind("SUB", "SUBTRACT", "SUBTRACTION", "SUBTRACTED"), _series(w.SUBTRACTION)),
        "a subtraction: the model subtracts the phases itself",
    ),
    _mr(
        7,
        _or(_kind("MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "MEAN_IP"), _series(w.PROJECTION)),
        "a projection (MIP), computed from slices",
    ),
    _mr(
        8,
        _or(_kind("MPR", "REFORMATTED", "CURVED", "VOLUME RENDERING", "RENDERED"), _series(w.REFORMAT)),
        "a plane computed from other slices",
    ),
    _mr(
        9,
        _or(
            _kind("DIFFUSION", "ADC", "EADC", "TRACEW", "TRACE", "FA", "DIFFUSION_ANISO", "ISOTROPIC"),
            Condition("a diffusion b-value", lambda i: i.traits.b_value is not None),
            _series(w.DIFFUSION),
        ),
        "diffusion: a b-value image or an ADC map",
    ),
    _mr(
        10,
        _or(
            _kind("T1 MAP", "T2 MAP", "T1_MAP", "T2_MAP", "PHASE MAP", "VELOCITY MAP", "B0 MAP", "B1 MAP", "KTRANS"),
            _kind(
                "PHASE", "P", "R", "I", "REAL", "IMAGINARY", "FAT", "FAT_FRACTION", "IN_PHASE", "OPP_PHASE", "OUT_PHASE"
            ),
            _series(w.MAP),
        ),
        "a map or a part of the signal (phase, real, fat), not the picture of the tissue",
    ),
    _mr(
        11,
        _or(
            _kind("T2", "STIR", "FLAIR", "T2_STAR", "PROTON_DENSITY", "TOF", "PHASE_CONTRAST", "SPECTROSCOPY"),
            Condition("an echo time of 60 ms or more", lambda i: (i.traits.echo_time_ms or 0) >= _T2_ECHO_MS),
            _series(w.OTHER_WEIGHTING),
        ),
        "not T1-weighted (T2, STIR, proton density, angiography ...): no phase of a dynamic series",
    ),
    _mr(12, _COMPUTED_ANEW, "computed from other images; nothing says that it was only encoded anew"),
    Rule(
        "MR-13",
        "MR",
        (_classes("Enhanced or Legacy Converted Enhanced MR", "4.1", "4.4"),),
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


# ── slides ──

_SLIDES: Final = (
    Rule("SM-1", "SM", (_not_classes("not a Whole Slide Microscopy Image", "77.1.6"),), "", "not a whole slide"),
    Rule("SM-2", "SM", (_kind("LABEL"),), "", "the slide's label, which may name the patient"),
    Rule("SM-3", "SM", (_kind("OVERVIEW"),), "", "an overview of the slide, too coarse to see cells"),
    Rule("SM-4", "SM", (_kind("THUMBNAIL"),), "", "a thumbnail of the slide, too coarse to see cells"),
    Rule(
        "SM-5",
        "SM",
        (_says("specimen, anatomy or description", _of_specimen, w.AXILLA, w.LYMPH_NODE),),
        "sm.node",
        "tiles of a slide of a lymph node",
    ),
    Rule(
        "SM-6",
        "SM",
        (_says("specimen, anatomy or description", _of_specimen, w.BREAST, w.LESION),),
        "sm.primary",
        "tiles of a slide of the primary tumour",
    ),
    Rule("SM-7", "SM", (), "", "tiles of a slide, not said of which tissue"),
)


# ── other modalities ──

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
_OTHERS: Final = (
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

RULES: Final = (*_DOCUMENTS, *_MAMMOGRAPHY, *_ULTRASOUND, *_MAGNETIC, *_SLIDES, *_OTHERS)
"""Behind `FIRST` and a site's own rules."""

BUILT_IN: Final = RoleTable(FIRST, RULES)
"""The table of a site without rules of its own."""
