"""Who is asked about, who gets no estimate, and what is only said beside one: each rule with its reason."""

from dataclasses import replace
from datetime import date
from typing import ClassVar

import pytest

from agent.core.assessed import COVERABLE, DCIS, DISSECTED, LARGE, METASTATIC, NODE_POSITIVE, Range
from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.eligibility import AxillaQuestion, Eligibility, assess, no_longer
from agent.core.eligibility_rules import RULES, Effect
from agent.core.facts import SIDE_UNSAID, About
from agent.core.prediction import Side
from tests.unit.core.eligibility_facts import CANCER, KNOWN, SENTINEL, TODAY, assessed, clinical, dated, with_earlier


def test_asks_for_the_axilla_of_the_cancer() -> None:
    """A confirmed invasive cancer asks about its own side, and nothing speaks against an estimate."""
    assert assess("aln", clinical(), TODAY) == Eligibility(True, "", (AxillaQuestion(Side.L),), diagnosed_on=KNOWN)


def test_cancer_of_both_sides_asks_twice() -> None:
    """Bilateral cancer gives two questions."""
    found = assessed(clinical(side="B"))
    assert [axilla.side for axilla in found.axillae] == [Side.L, Side.R] == list(found.open_sides)


def test_there_is_no_question_of_another_name() -> None:
    """A question without rules would let everyone pass."""
    with pytest.raises(ValueError, match="no such question"):
        assessed(clinical(), "aln ")


NOT_ASKED: list[tuple[str, str, ClinicalFacts | None]] = [
    ("aln", "the clinical database does not know the patient", None),
    (
        "aln",
        "the diagnosis that the clinical database gives could not be read",
        clinical(diagnosis=None, refused=("diagnosis",)),
    ),
    ("aln", "no diagnosis is known", clinical(diagnosis=None)),
    ("aln", "the diagnosis is not known yet", clinical(diagnosis="unknown")),
    ("aln", "no breast cancer was found", clinical(diagnosis="none")),
    ("aln", "the diagnosis is benign", clinical(diagnosis="benign")),
    ("aln", "ductal carcinoma in situ without invasion", clinical(diagnosis="dcis")),
    ("nsln", "the diagnosis is benign", clinical(**SENTINEL, diagnosis="benign")),
    ("nsln", "the sentinel nodes were not removed yet", clinical(sentinel_positive=1)),
    (
        "nsln",
        "the sentinel nodes were not removed yet",
        clinical(sentinel_positive=1, axillary_surgery_date=date(2026, 11, 21)),
    ),
    (
        "nsln",
        "the sentinel nodes were not removed yet",
        clinical(sentinel_positive=1, axillary_surgery_date=date(2021, 11, 1)),
    ),
    ("nsln", "the result of the sentinel nodes is not known yet", clinical(**{**SENTINEL, "sentinel_positive": None})),
    ("nsln", "no sentinel node is positive", clinical(**{**SENTINEL, "sentinel_positive": 0})),
    ("nsln", "more than two sentinel nodes are positive", clinical(**{**SENTINEL, "sentinel_positive": 3})),
]


@pytest.mark.parametrize(("question", "reason", "known"), NOT_ASKED)
def test_not_asked_with_its_reason(question: str, reason: str, known: ClinicalFacts | None) -> None:
    """Nothing is sent, and the case says why."""
    assert assessed(known, question) == Eligibility(asked=False, reason=reason)


NO_SIDE: list[tuple[str, ClinicalFacts]] = [
    ("The side of the cancer is not known.", clinical(side=None)),
    (
        "The side of the cancer that the clinical database gives could not be read.",
        clinical(side=None, refused=("side",)),
    ),
]


@pytest.mark.parametrize(("reason", "known"), NO_SIDE)
def test_side_unknown_gives_no_estimate_for_the_patient(reason: str, known: ClinicalFacts) -> None:
    """An answer is due, but without a side, known or refused, it names no axilla."""
    found = assessed(known)
    assert (found.asked, found.axillae, found.reason, found.open_sides) == (True, (), reason, ())


EXCLUDED: list[tuple[str, ClinicalFacts]] = [
    ("A node biopsy has already proven metastasis.", clinical(node_biopsy="positive")),
    ("The axilla is clinically positive (cN1 or higher).", clinical(clinical_n="N1mi")),
    ("The axilla is clinically positive (cN1 or higher).", clinical(clinical_n="N3c")),
    ("The tumour is cT3 or cT4; the model covers cT1 and cT2.", clinical(clinical_t="T3")),
    ("The tumour is cT3 or cT4; the model covers cT1 and cT2.", clinical(clinical_t="T4b")),
    ("Distant metastasis is known (M1).", clinical(clinical_m="M1")),
    ("An earlier breast cancer on this side.", clinical(previous_breast_cancer_side="L")),
    ("An earlier breast cancer on this side.", clinical(previous_breast_cancer_side="B")),
    ("Earlier surgery of this axilla.", clinical(previous_axillary_surgery_side="L")),
    ("Earlier breast surgery.", clinical(surgery_date=date(2021, 11, 1))),
    ("Earlier axillary surgery.", clinical(axillary_surgery_date=date(2021, 11, 1))),
    ("Earlier systemic therapy.", clinical(systemic_therapy_date=date(2021, 11, 1))),
    ("Earlier radiotherapy.", clinical(radiotherapy_date=date(2026, 10, 31))),
    ("The patient's sex is outside the model's range.", clinical(sex="M")),
    ("The patient's age is outside the model's range.", clinical(birth_date=date(2010, 1, 1))),
    ("Whether a node biopsy was positive could not be read.", clinical(refused=("node_biopsy",))),
    ("The clinical stage of the nodes (cN) could not be read.", clinical(refused=("clinical_n",))),
    ("The clinical stage of the tumour (cT) could not be read.", clinical(refused=("clinical_t",))),
    ("Whether there is distant metastasis (cM) could not be read.", clinical(refused=("clinical_m",))),
    ("The side of an earlier breast cancer could not be read.", clinical(refused=("previous_breast_cancer_side",))),
    ("The side of earlier axillary surgery could not be read.", clinical(refused=("previous_axillary_surgery_side",))),
    ("The patient's sex could not be read.", clinical(sex=None, refused=("sex",))),
    ("The birth date is implausible.", clinical(birth_date=None, refused=("birth_date",))),
    ("A date of treatment could not be read.", clinical(refused=("systemic_therapy_date",))),
    ("The cancer was confirmed only when treatment had begun.", clinical(surgery_date=KNOWN)),
    (
        "The side of the cancer was recorded only when treatment had begun.",
        dated(clinical(surgery_date=KNOWN), diagnosis=date(2026, 10, 1)),
    ),
]
EXCLUDED_AFTER_SURGERY: list[tuple[str, ClinicalFacts]] = [
    ("How many nodes were removed or positive could not be read.", clinical(**SENTINEL, refused=("nodes_positive",))),
    ("Distant metastasis is known (M1).", clinical(**SENTINEL, clinical_m="M1")),
    (
        "Systemic therapy began before the sentinel nodes were removed.",
        clinical(**SENTINEL, systemic_therapy_date=date(2026, 11, 11)),
    ),
    (DISSECTED, clinical(**SENTINEL, sentinel_removed=2, nodes_removed=14)),
]


@pytest.mark.parametrize(
    ("question", "reason", "known"),
    [("aln", *row) for row in EXCLUDED] + [("nsln", *row) for row in EXCLUDED_AFTER_SURGERY],
)
def test_no_estimate_with_its_reason(question: str, reason: str, known: ClinicalFacts) -> None:
    """An answer is due, but no number: the axilla carries the reason."""
    found = assessed(known, question)
    assert found.asked and found.axillae == (AxillaQuestion(Side.L, reason),) and found.open_sides == ()


ALLOWED: list[dict[str, Value | None]] = [
    {"node_biopsy": "negative"},
    {"node_biopsy": "not_done"},
    {"clinical_n": "N0"},
    {"clinical_n": "NX"},
    {"clinical_t": "T2"},
    {"clinical_t": "Tis"},
    {"clinical_m": "M0(i+)"},
    {"previous_breast_cancer_side": "R"},
    {"previous_breast_cancer_side": "none"},
    {"previous_axillary_surgery_side": "R"},
    {"sex": None},
    {"birth_date": None},
    {"surgery_date": date(2026, 11, 2)},
    {"radiotherapy_date": date(2026, 11, 2)},
]


@pytest.mark.parametrize("values", ALLOWED)
def test_what_does_not_exclude(values: dict[str, Value | None]) -> None:
    """The neighbours of each exclusion leave the estimate alone."""
    assert [axilla.reason for axilla in assessed(clinical(**values)).axillae] == [""]


@pytest.mark.parametrize(
    "known", [None, clinical(diagnosis="benign"), clinical(side=None), clinical(node_biopsy="positive")]
)
def test_a_slide_is_asked_about_whatever_is_known(known: ClinicalFacts | None) -> None:
    """A slide of a node is there: it needs no fact, and no day bounds it."""
    found = assessed(known, "histology")
    assert (found.asked, found.reason, found.cutoff, found.earliest) == (True, "", None, None)


COVERED: list[tuple[str, dict[str, Value]]] = [
    (DCIS, {"diagnosis": "dcis"}),
    (NODE_POSITIVE, {"clinical_n": "N1"}),
    (LARGE, {"clinical_t": "T4"}),
    (METASTATIC, {"clinical_m": "M1"}),
]


@pytest.mark.parametrize(("name", "values"), COVERED)
def test_a_model_may_cover_more(name: str, values: dict[str, Value]) -> None:
    """Whom a bundle was made for it answers for; another bundle's coverage does not help."""
    assert assessed(clinical(**values), limits=Range(covers=frozenset({name}))).open_sides == (Side.L,)
    assert assessed(clinical(**values), limits=Range(covers=COVERABLE - {name})).open_sides == ()


FLAGGED: list[tuple[str, dict[str, Value]]] = [
    ("A node biopsy is pending.", {"node_biopsy": "pending"}),
    ("Pregnancy.", {"pregnant": True}),
    ("Lactation.", {"lactating": True}),
    ("Breast implant.", {"implant_side": "R"}),
]


@pytest.mark.parametrize(("flag", "values"), FLAGGED)
def test_flags_do_not_exclude(flag: str, values: dict[str, Value]) -> None:
    """What is only flagged keeps its estimate; its opposite raises no flag."""
    found = assessed(clinical(**values))
    assert found.flags == (flag,) and found.axillae == (AxillaQuestion(Side.L),)
    assert assessed(clinical(pregnant=False, lactating=False, implant_side="none")).flags == ()


def test_every_row_of_the_table_has_its_test() -> None:
    """No rule stands in the table untested, none twice, and every coverage is one of a rule."""
    tested = {
        Effect.NOT_ASKED: {reason for _, reason, _ in NOT_ASKED},
        Effect.NO_ESTIMATE: {reason for reason, _ in (*NO_SIDE, *EXCLUDED, *EXCLUDED_AFTER_SURGERY)},
        Effect.FLAGGED: {reason for reason, _ in FLAGGED},
    }
    assert sorted((r.effect, r.reason) for r in RULES) == sorted((e, r) for e, rs in tested.items() for r in rs)
    assert {rule.covered_as for rule in RULES} - {""} == COVERABLE == {name for name, _ in COVERED}


class _Watched(ClinicalFacts):
    """Facts that note which of them are read."""

    read: ClassVar[set[str]] = set()

    def value(self, name: str) -> Value | None:
        self.read.add(name)
        return super().value(name)


def test_what_a_rule_against_an_estimate_reads_must_be_readable() -> None:
    """Of each fact that such a rule reads a value that cannot be read gives no estimate: no rule can forget it."""
    for question, rows in (("aln", EXCLUDED), ("nsln", EXCLUDED_AFTER_SURGERY)):
        _Watched.read.clear()
        for _, known in rows:
            assessed(_Watched(known.facts, known.refused), question)
        assert len(_Watched.read) > 10
        for name in _Watched.read - {"pregnant", "lactating", "implant_side"}:  # only said
            asked = {**CANCER, **(SENTINEL if question == "nsln" else {}), name: None}
            assert assessed(clinical(**asked, refused=(name,)), question).open_sides == (), name


@pytest.mark.parametrize(
    "reason", ["dated in the future", "became known on or after surgery", SIDE_UNSAID[About.AXILLA]]
)
def test_what_is_left_out_for_another_reason_than_its_value_is_no_obstacle(reason: str) -> None:
    """It was read: it counts from its day on, or has counted already."""
    assert assessed(replace(clinical(), refused=(Refusal("node_biopsy", reason),))).open_sides == (Side.L,)


@pytest.mark.parametrize(("name", "values"), COVERED[1:])
def test_what_a_model_covers_need_not_be_read(name: str, values: dict[str, Value]) -> None:
    """Where positive nodes are no obstacle, neither is not knowing of them."""
    known = clinical(refused=tuple(values))
    assert assessed(known, limits=Range(covers=frozenset({name}))).open_sides == (Side.L,)
    assert assessed(known, limits=Range(covers=COVERABLE - {name})).open_sides == ()


AGAINST = [
    ("node_biopsy", "positive", "negative"),
    ("clinical_n", "N1", "N0"),
    ("clinical_t", "T3", "T2"),
    ("clinical_m", "M1", "M0"),
]


@pytest.mark.parametrize(("name", "first", "then"), AGAINST)
@pytest.mark.parametrize("is_read", [True, False])
def test_what_was_proven_once_stays_so(name: str, first: str, then: str, is_read: bool) -> None:
    """A second node's biopsy, another stage, or a value that cannot be read does not undo it in this episode."""
    known = clinical(**{name: then if is_read else None}, refused=() if is_read else (name,))
    kept = with_earlier(known, **{name: Fact(first, date(2026, 10, 20))})
    reasons = {reason for reason, facts in EXCLUDED if name in facts.facts}
    assert {axilla.reason for axilla in assessed(kept).axillae} <= reasons
    was = with_earlier(known, **{name: Fact(first, date(2024, 10, 20))})
    assert (assessed(was).open_sides == (Side.L,)) is is_read


def test_earlier_cancer_excludes_its_own_side_only() -> None:
    """In bilateral cancer the other axilla keeps its estimate."""
    found = assessed(clinical(side="B", previous_axillary_surgery_side="R"))
    assert found.axillae == (AxillaQuestion(Side.L), AxillaQuestion(Side.R, "Earlier surgery of this axilla."))


def test_the_models_range_counts() -> None:
    """A model for men and for the young takes them."""
    wide = Range(frozenset({"F", "M"}), youngest=10)
    assert assessed(clinical(sex="M", birth_date=date(2010, 1, 1)), limits=wide).open_sides == (Side.L,)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("aln", "An invasive cancer is no longer confirmed: the diagnosis is benign."),
        ("nsln", "The question no longer applies: the diagnosis is benign."),
    ],
)
def test_an_answer_that_was_given_is_taken_back(question: str, words: str) -> None:
    """Where nothing would be asked now, what was said before must be corrected."""
    found = no_longer(question, assessed(clinical(diagnosis="benign"), question))
    assert (found.asked, found.reason, found.open_sides) == (True, words, ())
