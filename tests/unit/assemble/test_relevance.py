from dataclasses import replace

import pytest

from agent.assemble.relevance import USES, irrelevance
from agent.core.instance import Instance
from agent.core.patient import PatientKey

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
TOMOSYNTHESIS = "tomosynthesis, only two-dimensional mammograms are used"
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
    """What the question reads has no reason against it."""
    assert irrelevance(replace(MAMMOGRAM, **changes), "aln", ALL) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sop_class_uid": STORAGE + "88.33"}, "a structured document or key object selection"),
        ({"sop_class_uid": STORAGE + "88.59"}, "a structured document or key object selection"),
        ({"sop_class_uid": STORAGE + "11.1"}, "a presentation state"),
        ({"sop_class_uid": STORAGE + "7"}, "a secondary capture"),
        ({"sop_class_uid": STORAGE + "7.4"}, "a secondary capture"),
        ({"modality": "SR"}, "a structured document"),
        ({"modality": "KO"}, "a key object selection"),
        ({"modality": "PR"}, "a presentation state"),
        ({"modality": "CT"}, "no active model uses CT"),
        ({"modality": "SM"}, "no active model uses SM"),
        ({"modality": ""}, "no active model uses objects without a modality"),
        (
            {"sop_class_uid": STORAGE + "13.1.3", "frames": 60},
            "tomosynthesis, only two-dimensional mammograms are used",
        ),
        ({"sop_class_uid": STORAGE + "13.1.4"}, TOMOSYNTHESIS),
        ({"sop_class_uid": STORAGE + "77.1.6"}, "no active model uses this SOP class of MG"),
        ({"frames": 2}, "several frames, only two-dimensional mammograms are used"),
        ({"view_position": "MCC"}, "a spot compression or magnification view"),
        ({"view_position": "SMLO"}, "a spot compression or magnification view"),
        ({"view_position": "MSMLO"}, "a spot compression or magnification view"),
        ({"view_position": "ML"}, "the view is ML, only CC and MLO are used"),
        ({"view_position": "XCCL"}, "the view is XCCL, only CC and MLO are used"),
        ({"view_position": ""}, "the view is not stated, only CC and MLO are used"),
    ],
)
def test_not_usable(changes: dict[str, object], reason: str) -> None:
    """Everything else is left out, and says why."""
    assert irrelevance(replace(MAMMOGRAM, **changes), "aln", ALL) == f"not relevant: {reason}"  # type: ignore[arg-type]


def test_only_what_an_active_bundle_reads() -> None:
    """A modality of the question that no active bundle reads is left out."""
    assert irrelevance(MAMMOGRAM, "aln", frozenset({"US"})) == "not relevant: no active model uses MG"
    assert irrelevance(MAMMOGRAM, "histology", ALL) == "not relevant: no active model uses MG"


def test_each_question_reads_something() -> None:
    """The table knows the three questions."""
    assert {question for question, _ in USES} == {"aln", "nsln", "histology"}
