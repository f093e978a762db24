"""What a question takes, by the role of an object; everything else says why it is not relevant, and by which rule."""

from dataclasses import replace

import pytest

from agent.assemble.relevance import USES, irrelevance
from agent.core.instance import Instance
from agent.core.patient import PatientKey
from agent.core.role_rules import FIRST, RULES
from agent.core.roles import ROLES, RoleTable, SiteRule

STORAGE = "1.2.840.10008.5.1.4.1.1."
MAMMOGRAM = Instance(
    sop_instance_uid="1.2.1",
    sop_class_uid=STORAGE + "1.2",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    study_instance_uid="1.2.2",
    series_instance_uid="1.2.3",
    patient=PatientKey("PHANTOM", "P-1"),
    modality="MG",
    laterality="L",
    view_position="CC",
)
ALL = frozenset({"clinical", "MG", "US", "MR"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"view_position": "MLO"},
        {"sop_class_uid": STORAGE + "1.2.1", "presentation_intent": "FOR PROCESSING"},
        {"modality": "US", "sop_class_uid": STORAGE + "6.1", "view_position": ""},
        {"modality": "US", "sop_class_uid": STORAGE + "3.1", "view_position": "", "frames": 30},
        {"modality": "MR", "sop_class_uid": STORAGE + "4", "view_position": ""},
        {"modality": "MR", "sop_class_uid": STORAGE + "4.1", "view_position": "", "frames": 90},
    ],
)
def test_usable(changes: dict[str, object]) -> None:
    """What the question reads has no reason against it; the case knows also of what no model is given."""
    assert irrelevance(replace(MAMMOGRAM, **changes), "aln", ALL) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sop_class_uid": STORAGE + "88.33"}, "a structured report: no image [ANY-4]"),
        ({"modality": "CT"}, "a CT: no question here reads it [OT-1]"),
        ({"view_position": "ML"}, "the view is ML (medio-lateral); only CC and MLO are used [MG-23]"),
    ],
)
def test_refused_by_a_rule(changes: dict[str, object], reason: str) -> None:
    """The rule's words and its id."""
    assert irrelevance(replace(MAMMOGRAM, **changes), "aln", ALL) == f"not relevant: {reason}"  # type: ignore[arg-type]


def test_only_what_an_active_bundle_reads() -> None:
    """A modality of the question that no active bundle reads is left out, and so is a role that it has no use for."""
    assert irrelevance(MAMMOGRAM, "aln", frozenset({"US"})) == "not relevant: no active model uses MG for aln [MG-21]"
    assert irrelevance(MAMMOGRAM, "histology", ALL).startswith("not relevant: no active model uses MG for histology")


def test_the_rules_of_the_site_count() -> None:
    """A table with them is asked instead of the built-in one."""
    table = RoleTable(FIRST, RULES, (SiteRule("MG", {"view": "c?"}, "", "not here"),))
    assert irrelevance(MAMMOGRAM, "aln", ALL, table) == "not relevant: not here [site-1]"


def test_each_question_reads_something() -> None:
    """The table knows the three questions, and roles alone."""
    assert set(USES) == {"aln", "nsln", "histology"}
    assert frozenset().union(*USES.values()) <= set(ROLES)
