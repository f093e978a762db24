"""What every object is: each rule with an example and a counter-example, and the site's own rules before them."""

from collections import Counter
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.instance import Instance, Traits
from agent.core.patient import PatientKey
from agent.core.role_rules import BUILT_IN, FIRST, RULES, is_implant_displaced
from agent.core.role_words import plain
from agent.core.roles import MATCHED, ROLES, RoleTable, SiteRule, rule_in

STORAGE = "1.2.840.10008.5.1.4.1.1."
CLASSES = {"MG": "1.2", "US": "6.1", "MR": "4", "SM": "77.1.6", "CT": "2", "SR": "88.33", "KO": "88.59", "PR": "11.1"}
JPEG = "1.2.840.10008.1.2.4.70"
TRAITS = {field.name for field in fields(Traits)}
TEXT = "\\"


def an(modality: str, sop: str = "", **said: Any) -> Instance:
    """An object of a modality that says so; traits by their names. `kind` is Image Type, with backslashes."""
    if "kind" in said:
        said["image_type"] = tuple(said.pop("kind").split(TEXT))
    traits = {name: said.pop(name) for name in list(said) if name in TRAITS}
    header = Instance(
        sop_instance_uid="1.1",
        sop_class_uid=STORAGE + (sop or CLASSES.get(modality, "999")),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid="1.2",
        series_instance_uid="1.3",
        patient=PatientKey("PHANTOM", "P-1"),
        modality=modality,
        traits=Traits(**traits),
    )
    return replace(header, **said)


def mg(view: str = "CC", sop: str = "", **said: Any) -> Instance:
    """A mammogram for presentation."""
    return an("MG", sop, **{"view_position": view, "presentation_intent": "FOR PRESENTATION"} | said)


def us(sop: str = "", **said: Any) -> Instance:
    """An ultrasound image."""
    return an("US", sop, **said)


def mr(series: str = "t1_fl3d_tra dyn", sop: str = "", **said: Any) -> Instance:
    """A slice of MR."""
    return an("MR", sop, series_description=series, **said)


def sm(kind: str = "ORIGINAL\\PRIMARY\\VOLUME\\NONE", sop: str = "", **said: Any) -> Instance:
    """Tiles of a slide."""
    return an("SM", sop, kind=kind, **said)


RAW = {"presentation_intent": "FOR PROCESSING"}
EXAMPLES: dict[str, tuple[Instance, Instance]] = {  # rule -> an example, and what is close to it yet is none
    "ANY-1": (mg(sides=("L", "R")), mg(sides=("L", "B"))),
    "ANY-2": (mg(quality_control=True), mg()),
    "ANY-3": (an("KO", "999"), an("SR")),
    "ANY-4": (an("MG", "88.50"), an("MG", "8")),
    "ANY-5": (an("PR"), mg()),
    "ANY-6": (an("MG", "7"), an("MG", "77.1.6")),
    "ANY-7": (an("SEG", "66.4"), an("MR", "66")),
    "ANY-8": (an("ANN", "91.1"), sm()),
    "ANY-9": (an("DOC", "104.1"), an("MG", "1.2")),
    "ANY-10": (an("MR", "66"), mr()),
    "MG-1": (mg(sop="13.1.3", frames=60), mg()),
    "MG-2": (mg(sop="13.1.4"), mg(sop="13.1.3")),
    "MG-3": (mg(kind="DERIVED\\PRIMARY\\TOMOSYNTHESIS\\GENERATED_2D"), mg(kind="DERIVED\\PRIMARY")),
    "MG-4": (mg(series_description="L CC Tomosynthesis Reconstruction"), mg(series_description="L CC Custom")),
    "MG-5": (mg(sop="1.1"), mg(sop="1.2.1")),
    "MG-6": (mg(frames=2), mg(frames=1)),
    "MG-7": (mg(study_description="Präparateradiographie"), mg(study_description="Präventive Mammographie")),
    "MG-8": (mg(series_description="R CC CESM recombined"), mg(contrast="NONE")),
    "MG-9": (mg(series_description="Drahtmarkierung L CC"), mg(study_description="post biopsy mammogram")),
    "MG-10": (mg(magnification=1.8), mg(magnification=1.07)),
    "MG-11": (mg("SMLO"), mg("MLO")),
    "MG-12": (mg("CCRL"), mg("CC")),
    "MG-13": (mg("MLOTAN"), mg("MLO")),
    "MG-14": (mg("CCCV"), mg("CC")),
    "MG-15": (mg("MLOAT"), mg("AT")),
    "MG-16": (mg("CCAC"), mg("CC")),
    "MG-17": (mg("CC", "1.2.1", presentation_intent=""), mg("CC")),
    "MG-18": (mg("MLO", **RAW), mg("ML", **RAW)),
    "MG-19": (mg("CCID"), mg("MCCID")),
    "MG-20": (mg("MLOID"), mg("MLOID", **RAW)),
    "MG-21": (mg("CC", kind="DERIVED\\PRIMARY"), mg("CC", **RAW)),
    "MG-22": (mg("MLO"), mg("SMLO")),
    "MG-23": (mg("ML"), mg("MLO")),
    "MG-24": (mg("LM"), mg("LMO")),
    "MG-25": (mg("LMO"), mg("MLO")),
    "MG-26": (mg("FB"), mg("CC")),
    "MG-27": (mg("SIO"), mg("ISO")),
    "MG-28": (mg("ISO"), mg("SIO")),
    "MG-29": (mg("XCCL"), mg("XCCM")),
    "MG-30": (mg("XCCM"), mg("XCCL")),
    "MG-31": (mg("XCC"), mg("CC")),
    "MG-32": (mg("AT"), mg("MLO")),
    "MG-33": (mg("CV"), mg("CC")),
    "MG-34": (mg(""), mg("XX")),
    "MG-35": (mg("TWO VIEWS"), mg("")),
    "US-1": (us("6.2"), us("6.1")),
    "US-2": (us("4"), us("3.1")),
    "US-3": (us(kind="DERIVED\\SECONDARY\\MPR"), us(kind="DERIVED\\PRIMARY\\BREAST")),
    "US-4": (us(study_description="US Breast Left", series_description="Specimen"), us(series_description="Species")),
    "US-5": (
        us(body_part="BREAST", series_description="Post clip marker"),
        us(series_description="Breast cine clip 1"),
    ),
    "US-6": (us(study_description="US Mamma links", series_description="SWE"), us(series_description="Sweep breast")),
    "US-7": (us(body_part="AXILLA"), us(series_description="Mamma und Axilla")),
    "US-8": (us(study_description="Sono Achsel rechts"), us(study_description="Sono Mamma und Achsel")),
    "US-9": (us(study_description="Schilddrüse"), us(study_description="Mamma, Hals mit")),
    "US-10": (us(kind="ORIGINAL\\PRIMARY\\THYROID"), us(kind="ORIGINAL\\PRIMARY\\SMALL PARTS")),
    "US-11": (us(series_description="breast and axilla"), us(series_description="breast")),
    "US-12": (us(comments=("LK Level I",)), us(comments=("LKW",))),
    "US-13": (us(body_part="BREAST"), us(body_part="BREAST", study_description="US breast and axilla")),
    "US-14": (us(), us(body_part="AXILLA")),
    "MR-1": (mr(sop="4.2"), mr(sop="4.1")),
    "MR-2": (mr(sop="4.3"), mr(sop="4.4")),
    "MR-3": (mr(study_description="MRI knee left"), mr(study_description="MRI breast", body_part="CHEST")),
    "MR-4": (mr("3-plane localizer"), mr("t1 local excitation")),
    "MR-5": (mr("SmartPrep bolus"), mr("ax vibrant asset")),
    "MR-6": (mr(kind="DERIVED\\PRIMARY\\M\\ND\\SUB"), mr("t1 substantia")),
    "MR-7": (mr("t1 dyn MIP"), mr("t1 dyn")),
    "MR-8": (mr("MPR sag"), mr("t1 sag")),
    "MR-9": (mr("ep2d", b_value=800.0), mr("fl3d", b_value=None)),
    "MR-10": (mr(kind="ORIGINAL\\PRIMARY\\P\\ND"), mr(kind="ORIGINAL\\PRIMARY\\M\\ND")),
    "MR-11": (mr("tse tra", echo_time_ms=90.0), mr("fl3d tra", echo_time_ms=2.4)),
    "MR-12": (mr(kind="DERIVED\\SECONDARY\\OTHER"), mr(kind="DERIVED\\SECONDARY\\OTHER", transfer_syntax_uid=JPEG)),
    "MR-13": (mr(sop="4.4", frames=400), mr(frames=1)),
    "MR-14": (mr(kind="DERIVED\\PRIMARY\\OTHER"), mr(kind="ORIGINAL\\PRIMARY\\OTHER")),
    "MR-15": (mr(contrast="Gadovist"), mr(contrast="NONE")),
    "MR-16": (mr(temporal_position=1), mr()),
    "MR-17": (mr(), mr("t2_tse")),
    "SM-1": (an("SM", "77.1.2"), sm()),
    "SM-2": (sm("ORIGINAL\\PRIMARY\\LABEL\\NONE"), sm()),
    "SM-3": (sm("ORIGINAL\\PRIMARY\\OVERVIEW\\NONE"), sm()),
    "SM-4": (sm("DERIVED\\PRIMARY\\THUMBNAIL\\RESAMPLED"), sm("DERIVED\\PRIMARY\\VOLUME\\RESAMPLED")),
    "SM-5": (sm(specimen=("Sentinel-Lymphknoten links",)), sm(specimen=("mastectomy, breast",))),
    "SM-6": (sm(anatomy=("Breast",)), sm(anatomy=("Axillary lymph node",))),
    "SM-7": (sm(), sm(anatomy=("Breast",))),
    **{f"OT-{n}": (an(m), an("ES")) for n, m in enumerate(("CT", "PT", "NM", "CR", "DX", "RG", "XA", "RF"), 1)},
    "OT-9": (an(""), an("ES")),
    "OT-10": (an("ES"), an("")),
}


@pytest.mark.parametrize("rule", [rule.id for rule in BUILT_IN.rules])
def test_each_rule_has_an_example_and_a_counter_example(rule: str) -> None:
    """What it is made for falls under it, what is close to that does not."""
    example, counter_example = EXAMPLES[rule]
    assert BUILT_IN.verdict(example).rule == rule
    assert BUILT_IN.verdict(counter_example).rule != rule


def test_ids_are_unique_and_roles_are_known() -> None:
    """A rule is named by its id; its role is one of the list, and of its modality."""
    assert max(Counter(rule.id for rule in BUILT_IN.rules).values()) == 1
    assert set(EXAMPLES) == {rule.id for rule in BUILT_IN.rules}
    for rule in BUILT_IN.rules:
        assert rule.reason
        assert not rule.role or (rule.role in ROLES and rule.role.startswith(f"{rule.modality.lower()}."))
        assert rule.role or not rule.left_out


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("US axilla left", "us.node"),
        ("Achselhöhle rechts", "us.node"),
        ("Creux axillaire gauche", "us.node"),
        ("Aisselle D", "us.node"),
        ("Ganglion sentinelle", "us.node"),
        ("Axila derecha", "us.node"),
        ("ganglio linfático", "us.node"),
        ("Lymphknoten", "us.node"),
        ("LYMPH NODES", "us.node"),
        ("Sein droit", "us.tumour"),
        ("Mamma links", "us.tumour"),
        ("mama izquierda", "us.tumour"),
        ("Läsion 1", "us.tumour"),
        ("mass at 10 o'clock", "us.tumour"),
        ("axillary tail of the breast", "us.unknown"),
        ("IMG 12", "us.unknown"),
        ("", "us.unknown"),
    ],
)
@pytest.mark.parametrize("field", ["series_description", "body_part", "protocol_name", "comments", "anatomy"])
def test_ultrasound_in_several_languages(field: str, text: str, role: str) -> None:
    """Whichever attribute says it."""
    assert BUILT_IN.verdict(us(**{field: (text,) if field in ("comments", "anatomy") else text})).role == role


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"series_description": "Elastography breast L"}, "US-6"),
        ({"series_description": "Élastographie sein"}, "US-6"),
        ({"protocol_name": "Elastografía mama"}, "US-6"),
        ({"comments": ("Scherwellen Herd 1",)}, "US-6"),
        ({"comments": ("shear-wave 3 kPa",), "body_part": "AXILLA"}, "US-6"),
        ({"kind": "ORIGINAL\\PRIMARY\\\\ELASTOGRAPHY"}, "US-6"),
        ({"kind": "DERIVED\\PRIMARY\\BREAST\\STRAIN"}, "US-6"),
        ({"series_description": "US guided biopsy", "body_part": "BREAST"}, "US-5"),
        ({"series_description": "LN axilla FNA"}, "US-5"),
        ({"series_description": "Stanzbiopsie Mamma rechts"}, "US-5"),
        ({"series_description": "Feinnadelpunktion Axilla"}, "US-5"),
        ({"series_description": "Drahtmarkierung"}, "US-5"),
        ({"series_description": "Microbiopsie sein droit"}, "US-5"),
        ({"series_description": "Ponction ganglion"}, "US-5"),
        ({"series_description": "Punción mama"}, "US-5"),
        ({"comments": ("Nadel in situ",)}, "US-5"),
        ({"comments": ("aguja en la lesión",)}, "US-5"),
        ({"series_description": "Clipmarkierung Lymphknoten"}, "US-5"),
        ({"kind": "ORIGINAL\\PRIMARY\\BREAST\\BIOPSY"}, "US-5"),
        ({"specimen": ("lumpectomy",)}, "US-4"),
        ({"series_description": "Präparatsonographie"}, "US-4"),
        ({"series_description": "pièce opératoire"}, "US-4"),
        ({"series_description": "CLIP 3", "body_part": "BREAST"}, "US-13"),
        ({"study_description": "US breast after biopsy", "body_part": "BREAST"}, "US-13"),
        ({"kind": "ORIGINAL\\PRIMARY\\BREAST\\0001", "body_part": "BREAST"}, "US-13"),
        ({"comments": ("restraint", "wireless probe"), "body_part": "BREAST"}, "US-13"),
        ({"series_description": "LN with thick cortex", "comments": ("marked",)}, "US-12"),
    ],
)
def test_ultrasound_that_no_model_learnt_from(said: dict[str, Any], rule: str) -> None:
    """Elastography, needles and specimens in the languages there, and what only looks like them."""
    assert BUILT_IN.verdict(us(**said)).rule == rule


def test_what_is_nearer_to_the_image_counts() -> None:
    """The image says axilla, the preset of the examination says breast; codes count without their meaning."""
    assert BUILT_IN.verdict(us(body_part="BREAST", series_description="LN axilla")).role == "us.node"
    assert BUILT_IN.verdict(us(anatomy_codes=("91470000",), body_part="BREAST")).role == "us.node"
    assert BUILT_IN.verdict(us(anatomy_codes=("76752008",))).role == "us.tumour"
    assert BUILT_IN.verdict(us(body_part="BREAST", study_description="Axilla")).role == "us.unknown"
    assert BUILT_IN.verdict(us(study_description="US breast")).role == "us.unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_syntax_uid": JPEG},
        {"lossy": True},
        {"derivation": ("Lossy compression",)},
        {"derivation": ("resampled to 256 x 256",)},
        {"comments": ("JPEG lossless",)},
        {"kind": "DERIVED\\SECONDARY\\RESAMPLED"},
    ],
)
def test_an_original_that_was_encoded_anew_is_no_computed_image(changes: dict[str, Any]) -> None:
    """Its Image Type says DERIVED and SECONDARY, and something else says how."""
    assert BUILT_IN.verdict(mr(**{"kind": "DERIVED\\SECONDARY\\OTHER"} | changes)).role == "mr.dce"


def test_for_processing_keeps_its_role_and_is_left_out() -> None:
    """The case knows of it; no model is given it. What is refused has no role; what is used no reason against it."""
    raw, used, refused = (BUILT_IN.verdict(one) for one in (mg("CC", **RAW), mg("CC"), mg("ML")))
    assert (raw.role, raw.refusal, raw.unused) == ("mg.cc", "", f"{raw.reason} [MG-17]")
    assert (used.role, used.refusal, used.unused) == ("mg.cc", "", "")
    assert refused.refusal == refused.unused == "the view is ML (medio-lateral); only CC and MLO are used [MG-23]"


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("a scout [MR-4]", ("MR-4", "a scout")),
        ("not relevant: ours [site-12]", ("site-12", "not relevant: ours")),
        ("a scout", ("", "a scout")),
        ("[MR-4] a scout", ("", "[MR-4] a scout")),
    ],
)
def test_the_rule_is_found_again_in_a_reason(reason: str, parts: tuple[str, str]) -> None:
    """Where it stands at the end."""
    assert rule_in(reason) == parts


def test_the_implant_is_displaced_by_the_views_modifier() -> None:
    """Not by letters that look like it."""
    assert [is_implant_displaced(mg(view)) for view in ("CCID", "MLOID", "CC", "ID", "")] == [True, True] + [False] * 3


def site(*rules: SiteRule) -> RoleTable:
    """The table of a site."""
    return RoleTable(FIRST, RULES, rules)


def test_a_sites_rule_comes_first() -> None:
    """All patterns must fit; the first rule that does, decides."""
    table = site(
        SiteRule("US", {"series_description": "*lad*", "station_name": "US?"}, "us.node", "LAD is a node"),
        SiteRule("US", {"scanner": "*trainer*"}, "", "the training room"),
    )
    assert table.verdict(us(series_description="L LAD 1", station="us2")).rule == "site-1"
    assert table.verdict(us(series_description="L LAD 1", station="US22")).role == "us.unknown"
    assert table.verdict(us(scanner="ACME Trainer\n2")).refusal == "the training room [site-2]"
    assert table.verdict(mg(scanner="ACME Trainer")).role == "mg.cc"


def test_what_protects_a_patient_comes_before_the_sites_rules() -> None:
    """An image of both sides at once has no role, whatever a site says."""
    table = site(SiteRule("MG", {"view": "*"}, "mg.cc", "everything"))
    assert table.verdict(mg("ML")).role == "mg.cc"
    assert table.verdict(mg("ML", sides=("R", "L"))).rule == "ANY-1"


@pytest.mark.parametrize("name", list(MATCHED))
def test_each_pattern_looks_at_its_attribute(name: str) -> None:
    """And at nothing else; brackets and dots are letters."""
    given = {"view": "view_position", "station_name": "station"}.get(name, name)
    many = given in ("anatomy", "comments", "image_type", "specimen")
    table = site(SiteRule("US", {name: "a[b].**c"}, "us.node", "ours"))
    assert table.verdict(us(**{given: ("a[b].xx\\c",) if many else "A[B].xC"})).rule == "site-1"
    assert table.verdict(us(**{given: ("abxxc",) if many else "abxxc"})).rule != "site-1"
    assert table.verdict(us()).rule != "site-1"


def test_the_procedure_is_of_the_study() -> None:
    """Some write it there alone."""
    table = site(SiteRule("US", {"study_description": "x"}, "us.node", "ours"))
    assert table.verdict(us(procedure="X")).rule == "site-1"


@pytest.mark.parametrize(("said", "given_"), [("", False), ("none", False), ("Gadovist", True), ("ISOVUE 300", True)])
def test_some_write_that_there_was_no_contrast(said: str, given_: bool) -> None:
    """That is no agent."""
    assert Traits(contrast=said).with_contrast is given_


def test_texts_are_compared_bare() -> None:
    """Without accents, case and signs."""
    assert plain("Échographie_mammaire:  D.") == "echographie mammaire d"


TEXTS = st.text(max_size=12) | st.sampled_from(["axilla", "Mamma", "sub", "T2", "DERIVED", "SECONDARY", "BREAST"])


@given(
    st.sampled_from(["MG", "US", "MR", "SM", "CT", "SR", "", "XX"]),
    st.sampled_from(["1.2", "1.2.1", "6.1", "4", "4.1", "77.1.6", "7", "88.33", "13.1.3", "x"]),
    st.lists(TEXTS, max_size=5),
    TEXTS,
    st.sampled_from(["", "CC", "MLO", "SMMLO", "IDID", "ATAT"]) | st.text(max_size=8),
    st.sets(st.sampled_from(["L", "R", "B"])),
)
def test_everything_is_something(
    modality: str, sop: str, kind: list[str], text: str, view: str, sides: set[str]
) -> None:
    """Whatever a header says, it gets one rule with an id and a reason, and never a role where it names both sides."""
    header = an(
        modality,
        sop,
        image_type=tuple(kind),
        series_description=text,
        comments=(text,),
        view_position=view,
        sides=tuple(sides),
    )
    verdict = BUILT_IN.verdict(header)
    assert verdict.rule
    assert verdict.reason
    assert verdict.role in ("", *ROLES)
    assert verdict.role == "" or not {"L", "R"} <= sides
