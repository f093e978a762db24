from dataclasses import replace
from datetime import date, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.assessed import COVERABLE, DCIS, DISSECTED, DISSECTION, LARGE, METASTATIC, NODE_POSITIVE, Range
from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.demographics import Demographics
from agent.core.eligibility import (
    AxillaQuestion,
    Eligibility,
    assess,
    before_outcome,
    bound_by_identity,
    bound_by_images,
    known_until,
    no_longer,
)
from agent.core.eligibility_rules import RULES, Effect
from agent.core.facts import SIDE_UNSAID, About
from agent.core.prediction import Side

TODAY = date(2026, 11, 20)
KNOWN = date(2026, 11, 1)
EPISODE = timedelta(days=120)
CANCER: dict[str, Value] = {"diagnosis": "invasive", "side": "L", "sex": "F", "birth_date": date(1970, 1, 1)}
SENTINEL: dict[str, Value] = {"axillary_surgery_date": date(2026, 11, 12), "sentinel_positive": 1}


def _facts(*, known_on: date = KNOWN, refused: tuple[str, ...] = (), **values: Value | None) -> ClinicalFacts:
    kept = {n: Fact(v, known_on) for n, v in {**CANCER, **values}.items() if v is not None}
    return ClinicalFacts(kept, tuple(Refusal(name, "a rule") for name in refused))


def _with(facts: ClinicalFacts, **known_on: date) -> ClinicalFacts:
    """Change the days on which facts became known."""
    return ClinicalFacts({n: Fact(f.value, known_on.get(n, f.known_on)) for n, f in facts.facts.items()}, facts.refused)


def _assess(facts: ClinicalFacts | None, question: str = "aln", limits: Range | None = None) -> Eligibility:
    return assess(question, facts, TODAY, limits=limits, episode=EPISODE)


def test_asks_for_the_axilla_of_the_cancer() -> None:
    """A confirmed invasive cancer asks about its own side, and nothing speaks against an estimate."""
    assert assess("aln", _facts(), TODAY) == Eligibility(True, "", (AxillaQuestion(Side.L),), diagnosed_on=KNOWN)


def test_cancer_of_both_sides_asks_twice() -> None:
    """Bilateral cancer gives two questions."""
    found = _assess(_facts(side="B"))
    assert [axilla.side for axilla in found.axillae] == [Side.L, Side.R] == list(found.open_sides)


def test_there_is_no_question_of_another_name() -> None:
    """A question without rules would let everyone pass."""
    with pytest.raises(ValueError, match="no such question"):
        _assess(_facts(), "aln ")


AFTER = date(2026, 11, 5)
NOT_ASKED: list[tuple[str, str, ClinicalFacts | None]] = [
    ("aln", "the clinical database does not know the patient", None),
    (
        "aln",
        "the diagnosis that the clinical database gives could not be read",
        _facts(diagnosis=None, refused=("diagnosis",)),
    ),
    ("aln", "no diagnosis is known", _facts(diagnosis=None)),
    ("aln", "the diagnosis is not known yet", _facts(diagnosis="unknown")),
    ("aln", "no breast cancer was found", _facts(diagnosis="none")),
    ("aln", "the diagnosis is benign", _facts(diagnosis="benign")),
    ("aln", "ductal carcinoma in situ without invasion", _facts(diagnosis="dcis")),
    ("nsln", "the diagnosis is benign", _facts(**SENTINEL, diagnosis="benign")),
    ("nsln", "the sentinel nodes were not removed yet", _facts(sentinel_positive=1)),
    (
        "nsln",
        "the sentinel nodes were not removed yet",
        _facts(sentinel_positive=1, axillary_surgery_date=date(2026, 11, 21)),
    ),
    (
        "nsln",
        "the sentinel nodes were not removed yet",
        _facts(sentinel_positive=1, axillary_surgery_date=date(2021, 11, 1)),
    ),
    ("nsln", "the result of the sentinel nodes is not known yet", _facts(**{**SENTINEL, "sentinel_positive": None})),
    ("nsln", "no sentinel node is positive", _facts(**{**SENTINEL, "sentinel_positive": 0})),
    ("nsln", "more than two sentinel nodes are positive", _facts(**{**SENTINEL, "sentinel_positive": 3})),
]


@pytest.mark.parametrize(("question", "reason", "known"), NOT_ASKED)
def test_not_asked_with_its_reason(question: str, reason: str, known: ClinicalFacts | None) -> None:
    """Nothing is sent, and the case says why."""
    assert _assess(known, question) == Eligibility(asked=False, reason=reason)


NO_SIDE: list[tuple[str, ClinicalFacts]] = [
    ("The side of the cancer is not known.", _facts(side=None)),
    (
        "The side of the cancer that the clinical database gives could not be read.",
        _facts(side=None, refused=("side",)),
    ),
]


@pytest.mark.parametrize(("reason", "known"), NO_SIDE)
def test_side_unknown_gives_no_estimate_for_the_patient(reason: str, known: ClinicalFacts) -> None:
    """An answer is due, but without a side, known or refused, it names no axilla."""
    found = _assess(known)
    assert (found.asked, found.axillae, found.reason, found.open_sides) == (True, (), reason, ())


EXCLUDED: list[tuple[str, ClinicalFacts]] = [
    ("A node biopsy has already proven metastasis.", _facts(node_biopsy="positive")),
    ("The axilla is clinically positive (cN1 or higher).", _facts(clinical_n="N1mi")),
    ("The axilla is clinically positive (cN1 or higher).", _facts(clinical_n="N3c")),
    ("The tumour is cT3 or cT4; the model covers cT1 and cT2.", _facts(clinical_t="T3")),
    ("The tumour is cT3 or cT4; the model covers cT1 and cT2.", _facts(clinical_t="T4b")),
    ("Distant metastasis is known (M1).", _facts(clinical_m="M1")),
    ("An earlier breast cancer on this side.", _facts(previous_breast_cancer_side="L")),
    ("An earlier breast cancer on this side.", _facts(previous_breast_cancer_side="B")),
    ("Earlier surgery of this axilla.", _facts(previous_axillary_surgery_side="L")),
    ("Earlier breast surgery.", _facts(surgery_date=date(2021, 11, 1))),
    ("Earlier axillary surgery.", _facts(axillary_surgery_date=date(2021, 11, 1))),
    ("Earlier systemic therapy.", _facts(systemic_therapy_date=date(2021, 11, 1))),
    ("Earlier radiotherapy.", _facts(radiotherapy_date=date(2026, 10, 31))),
    ("The patient's sex is outside the model's range.", _facts(sex="M")),
    ("The patient's age is outside the model's range.", _facts(birth_date=date(2010, 1, 1))),
    ("Whether a node biopsy was positive could not be read.", _facts(refused=("node_biopsy",))),
    ("The clinical stage of the nodes (cN) could not be read.", _facts(refused=("clinical_n",))),
    ("The clinical stage of the tumour (cT) could not be read.", _facts(refused=("clinical_t",))),
    ("Whether there is distant metastasis (cM) could not be read.", _facts(refused=("clinical_m",))),
    ("The side of an earlier breast cancer could not be read.", _facts(refused=("previous_breast_cancer_side",))),
    ("The side of earlier axillary surgery could not be read.", _facts(refused=("previous_axillary_surgery_side",))),
    ("The patient's sex could not be read.", _facts(sex=None, refused=("sex",))),
    ("The birth date is implausible.", _facts(birth_date=None, refused=("birth_date",))),
    ("A date of treatment could not be read.", _facts(refused=("systemic_therapy_date",))),
    ("The cancer was confirmed only when treatment had begun.", _facts(surgery_date=KNOWN)),
    (
        "The side of the cancer was recorded only when treatment had begun.",
        _with(_facts(surgery_date=KNOWN), diagnosis=date(2026, 10, 1)),
    ),
]
EXCLUDED_AFTER_SURGERY: list[tuple[str, ClinicalFacts]] = [
    ("How many nodes were removed or positive could not be read.", _facts(**SENTINEL, refused=("nodes_positive",))),
    ("Distant metastasis is known (M1).", _facts(**SENTINEL, clinical_m="M1")),
    (
        "Systemic therapy began before the sentinel nodes were removed.",
        _facts(**SENTINEL, systemic_therapy_date=date(2026, 11, 11)),
    ),
    (DISSECTED, _facts(**SENTINEL, sentinel_removed=2, nodes_removed=14)),
]


@pytest.mark.parametrize(
    ("question", "reason", "known"),
    [("aln", *row) for row in EXCLUDED] + [("nsln", *row) for row in EXCLUDED_AFTER_SURGERY],
)
def test_no_estimate_with_its_reason(question: str, reason: str, known: ClinicalFacts) -> None:
    """An answer is due, but no number: the axilla carries the reason."""
    found = _assess(known, question)
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
    assert [axilla.reason for axilla in _assess(_facts(**values)).axillae] == [""]


@pytest.mark.parametrize("values", [{}, {"sentinel_positive": 2}, {"nodes_removed": 2, "sentinel_removed": 2}])
def test_one_or_two_positive_sentinel_nodes_ask_about_the_others(values: dict[str, Value]) -> None:
    """What surgery found asks, however the cancer was confirmed; only images of before are used."""
    found = _assess(_facts(**{**SENTINEL, **values}, known_on=date(2026, 11, 14)), "nsln")
    assert (found.open_sides, found.cutoff, found.facts_cutoff) == ((Side.L,), date(2026, 11, 12), None)


OPERATED, ADJUVANT = date(2026, 11, 12), date(2026, 11, 17)


@pytest.mark.parametrize(
    ("values", "cutoff", "words"),
    [
        ({"systemic_therapy_date": ADJUVANT}, ADJUVANT, "the start of systemic therapy"),
        ({"radiotherapy_date": ADJUVANT}, ADJUVANT, "the start of radiotherapy"),
        ({"radiotherapy_date": OPERATED}, None, ""),
        ({"nodes_removed": 14}, KNOWN, DISSECTION),
        ({"nodes_removed": 14, "systemic_therapy_date": ADJUVANT}, KNOWN, DISSECTION),
        ({"nodes_positive": 2}, KNOWN, DISSECTION),
        ({"nodes_removed": 3, "sentinel_removed": 3}, None, ""),
        ({"nodes_positive": 1, "sentinel_removed": 3}, None, ""),
    ],
)
def test_what_surgery_asks_knows_nothing_of_what_came_after(
    values: dict[str, Value], cutoff: date | None, words: str
) -> None:
    """Therapy after the sentinel operation, or more nodes than the sentinel ones, end what may be used."""
    found = _assess(_facts(**{**SENTINEL, **values}), "nsln")
    assert (found.facts_cutoff, found.facts_cutoff_by, found.cutoff) == (cutoff, words, OPERATED)
    assert (found.axillae[0].reason == DISSECTED) == (words == DISSECTION)
    assert before_outcome(found).axillae == (AxillaQuestion(Side.L),)


def test_a_dissection_counts_from_when_it_was_first_known() -> None:
    """A later count of the same nodes moves nothing; one that was no more than the sentinel nodes is none."""
    facts = _with(_facts(**SENTINEL, sentinel_removed=2, nodes_removed=14), nodes_removed=date(2026, 11, 19))
    before = {"nodes_removed": (Fact(12, date(2026, 11, 16)), Fact(2, date(2026, 11, 13)))}
    assert _assess(ClinicalFacts(facts.facts, (), before), "nsln").facts_cutoff == date(2026, 11, 16)


@pytest.mark.parametrize("known", [None, _facts(diagnosis="benign"), _facts(side=None), _facts(node_biopsy="positive")])
def test_a_slide_is_asked_about_whatever_is_known(known: ClinicalFacts | None) -> None:
    """A slide of a node is there: it needs no fact, and no day bounds it."""
    found = _assess(known, "histology")
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
    assert _assess(_facts(**values), limits=Range(covers=frozenset({name}))).open_sides == (Side.L,)
    assert _assess(_facts(**values), limits=Range(covers=COVERABLE - {name})).open_sides == ()


FLAGGED: list[tuple[str, dict[str, Value]]] = [
    ("A node biopsy is pending.", {"node_biopsy": "pending"}),
    ("Pregnancy.", {"pregnant": True}),
    ("Lactation.", {"lactating": True}),
    ("Breast implant.", {"implant_side": "R"}),
]


@pytest.mark.parametrize(("flag", "values"), FLAGGED)
def test_flags_do_not_exclude(flag: str, values: dict[str, Value]) -> None:
    """What is only flagged keeps its estimate; its opposite raises no flag."""
    found = _assess(_facts(**values))
    assert found.flags == (flag,) and found.axillae == (AxillaQuestion(Side.L),)
    assert _assess(_facts(pregnant=False, lactating=False, implant_side="none")).flags == ()


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
            _assess(_Watched(known.facts, known.refused), question)
        assert len(_Watched.read) > 10
        for name in _Watched.read - {"pregnant", "lactating", "implant_side"}:  # only said
            asked = {**CANCER, **(SENTINEL if question == "nsln" else {}), name: None}
            assert _assess(_facts(**asked, refused=(name,)), question).open_sides == (), name


@pytest.mark.parametrize(
    "reason", ["dated in the future", "became known on or after surgery", SIDE_UNSAID[About.AXILLA]]
)
def test_what_is_left_out_for_another_reason_than_its_value_is_no_obstacle(reason: str) -> None:
    """It was read: it counts from its day on, or has counted already."""
    assert _assess(replace(_facts(), refused=(Refusal("node_biopsy", reason),))).open_sides == (Side.L,)


@pytest.mark.parametrize(("name", "values"), COVERED[1:])
def test_what_a_model_covers_need_not_be_read(name: str, values: dict[str, Value]) -> None:
    """Where positive nodes are no obstacle, neither is not knowing of them."""
    known = _facts(refused=tuple(values))
    assert _assess(known, limits=Range(covers=frozenset({name}))).open_sides == (Side.L,)
    assert _assess(known, limits=Range(covers=COVERABLE - {name})).open_sides == ()


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
    known = _facts(**{name: then if is_read else None}, refused=() if is_read else (name,))
    kept = _earlier(known, **{name: Fact(first, date(2026, 10, 20))})
    reasons = {reason for reason, facts in EXCLUDED if name in facts.facts}
    assert {axilla.reason for axilla in _assess(kept).axillae} <= reasons
    was = _earlier(known, **{name: Fact(first, date(2024, 10, 20))})
    assert (_assess(was).open_sides == (Side.L,)) is is_read


def test_without_an_episode_whatever_was_proven_counts() -> None:
    """Nothing says that it was of another cancer."""
    known = _earlier(_facts(node_biopsy="negative"), node_biopsy=Fact("positive", date(2016, 1, 1)))
    assert assess("aln", known, TODAY).open_sides == ()


def test_earlier_cancer_excludes_its_own_side_only() -> None:
    """In bilateral cancer the other axilla keeps its estimate."""
    found = _assess(_facts(side="B", previous_axillary_surgery_side="R"))
    assert found.axillae == (AxillaQuestion(Side.L), AxillaQuestion(Side.R, "Earlier surgery of this axilla."))


def test_the_models_range_counts() -> None:
    """A model for men and for the young takes them."""
    wide = Range(frozenset({"F", "M"}), youngest=10)
    assert _assess(_facts(sex="M", birth_date=date(2010, 1, 1)), limits=wide).open_sides == (Side.L,)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("surgery_date", "surgery"),
        ("axillary_surgery_date", "axillary surgery"),
        ("systemic_therapy_date", "the start of systemic therapy"),
        ("radiotherapy_date", "the start of radiotherapy"),
    ],
)
def test_cutoff_is_the_earliest_treatment(name: str, words: str) -> None:
    """Whichever treatment came first bounds what is pre-operative, images and facts alike."""
    later = {n: date(2026, 12, 9) for n in ("surgery_date", "radiotherapy_date", "systemic_therapy_date")}
    found = _assess(_facts(**{**later, name: date(2026, 12, 1)}))
    assert (found.cutoff, found.facts_cutoff, found.cutoff_by) == (date(2026, 12, 1), date(2026, 12, 1), words)


@pytest.mark.parametrize(("day", "is_earlier"), [(date(2026, 7, 4), False), (date(2026, 7, 3), True)])
def test_the_treatment_of_an_earlier_cancer_is_no_cutoff(day: date, is_earlier: bool) -> None:
    """It says that the breast was operated on before, not that all images are post-operative."""
    found = _assess(_facts(surgery_date=day))
    assert found.cutoff == (None if is_earlier else day)
    reason = "Earlier breast surgery." if is_earlier else "The cancer was confirmed only when treatment had begun."
    assert found.axillae[0].reason == reason


def test_without_an_episode_every_treatment_is_of_this_cancer() -> None:
    """Then the cancer was confirmed after it: still no estimate."""
    found = assess("aln", _facts(radiotherapy_date=date(2021, 11, 1)), TODAY)
    assert found.open_sides == () and found.cutoff == date(2021, 11, 1)


def test_an_episode_lies_around_the_diagnosis() -> None:
    """Its first and last day are counted from the day on which the cancer was confirmed."""
    found = _assess(_facts())
    assert (found.earliest, found.diagnosed_on, found.latest) == (KNOWN - EPISODE, KNOWN, KNOWN + EPISODE)
    assert assess("aln", _facts(), TODAY).earliest is None


def test_what_is_dated_after_the_question_is_not_known() -> None:
    """A diagnosis of tomorrow asks nothing today; a refusal names it."""
    tomorrow = TODAY + timedelta(days=1)
    assert not _assess(_with(_facts(), diagnosis=tomorrow)).asked
    known = known_until(_with(_facts(grade=3), grade=tomorrow), TODAY)
    assert known.value("grade") is None and known.value("side") == "L"
    assert known.refused == (Refusal("grade", "dated in the future"),)


SURGERY = date(2026, 11, 10)
LATE = "All images were taken on or after surgery."
NONE = "No image is known to be of this episode and older than surgery."


@pytest.mark.parametrize(
    ("acquired", "reason"),
    [
        ([date(2026, 11, 10), date(2026, 11, 11)], LATE),
        ([date(2026, 11, 10), None, date(2024, 1, 1)], LATE),
        ([None], NONE),
        ([], NONE),
        ([date(2026, 7, 3)], NONE),
        ([date(2027, 7, 3)], NONE),
        ([date(2026, 7, 4)], ""),
        ([date(2026, 11, 11), date(2026, 11, 9)], ""),
    ],
)
def test_images_after_surgery_alone_give_no_estimate(acquired: list[date | None], reason: str) -> None:
    """One image of the episode that is known to be older than surgery is enough."""
    found = bound_by_images(_assess(_facts(surgery_date=SURGERY)), acquired)
    assert found.asked and found.axillae == (AxillaQuestion(Side.L, reason),) and found.reason == ""


def test_without_an_episode_any_image_of_before_surgery_counts() -> None:
    """No day is too early then."""
    found = bound_by_images(assess("aln", _facts(surgery_date=SURGERY), TODAY), [date(2020, 1, 1)])
    assert found.open_sides == (Side.L,)


def test_what_was_said_of_an_axilla_stands() -> None:
    """That its nodes are known to be positive weighs more than when the images were taken."""
    found = bound_by_images(_assess(_facts(surgery_date=SURGERY, node_biopsy="positive")), [SURGERY])
    assert found.axillae[0].reason == "A node biopsy has already proven metastasis."


def test_images_after_surgery_of_an_unknown_side() -> None:
    """Without an axilla the reason stands for the patient."""
    found = bound_by_images(_assess(_facts(side=None, surgery_date=SURGERY)), [SURGERY])
    assert (found.axillae, found.reason) == ((), LATE)


def test_without_treatment_no_image_is_late() -> None:
    """No cutoff, no bound."""
    found = _assess(_facts())
    assert bound_by_images(found, [None]) is found


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("aln", "An invasive cancer is no longer confirmed: the diagnosis is benign."),
        ("nsln", "The question no longer applies: the diagnosis is benign."),
    ],
)
def test_an_answer_that_was_given_is_taken_back(question: str, words: str) -> None:
    """Where nothing would be asked now, what was said before must be corrected."""
    found = no_longer(question, _assess(_facts(diagnosis="benign"), question))
    assert (found.asked, found.reason, found.open_sides) == (True, words, ())


@given(
    question=st.sampled_from(["aln", "nsln"]),
    days=st.dictionaries(
        st.sampled_from(["diagnosis", "side", "surgery_date", "axillary_surgery_date", "sentinel_positive"]),
        st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    ),
    treated=st.dates(date(2020, 1, 1), date(2027, 1, 1)),
)
def test_an_estimate_is_never_of_after_its_cutoff(question: str, days: dict[str, date], treated: date) -> None:
    """Whatever the days: where there may be an estimate, the cancer was known by today, and by treatment for aln."""
    known = _with(_facts(**{**SENTINEL, "surgery_date": treated}), **days)
    found = _assess(known, question)
    if found.open_sides:
        assert found.diagnosed_on is not None and found.diagnosed_on <= TODAY
        if question == "aln":
            assert found.cutoff is None or found.diagnosed_on < found.cutoff


DATED: dict[str, Value] = {"surgery_date": date(2026, 11, 12)}


def _earlier(facts: ClinicalFacts, **earlier: Fact) -> ClinicalFacts:
    return ClinicalFacts(facts.facts, facts.refused, {name: (fact,) for name, fact in earlier.items()})


@pytest.mark.parametrize(
    ("before", "diagnosed_on"),
    [
        (Fact("invasive", date(2026, 10, 1)), date(2026, 10, 1)),
        (Fact("unknown", date(2026, 10, 1)), date(2026, 11, 15)),
        (Fact("invasive", date(2021, 10, 1)), date(2026, 11, 15)),
    ],
)
def test_a_cancer_counts_from_when_it_was_first_confirmed(before: Fact, diagnosed_on: date) -> None:
    """To say it again is no later diagnosis; what was said of an earlier cancer is not of this one."""
    found = _assess(_earlier(_with(_facts(), diagnosis=date(2026, 11, 15)), diagnosis=before))
    assert found.diagnosed_on == diagnosed_on


@pytest.mark.parametrize(("before", "is_open"), [("invasive", True), ("unknown", False)])
def test_what_was_known_before_treatment_is_not_late(before: str, is_open: bool) -> None:
    """Though it was written down again after surgery."""
    again = _with(_facts(**DATED), diagnosis=date(2026, 11, 15))
    found = _assess(_earlier(again, diagnosis=Fact(before, date(2026, 10, 1))))
    assert (found.open_sides == (Side.L,)) is is_open


@pytest.mark.parametrize("name", ["clinical_n", "node_biopsy"])
def test_what_treatment_made_of_a_node_does_not_make_it_negative(name: str) -> None:
    """Before it, it was positive."""
    first, then = {"clinical_n": ("N1", "N0"), "node_biopsy": ("positive", "negative")}[name]
    was = {name: Fact(first, date(2026, 10, 20))}
    later = _with(_facts(**{name: then}, **DATED), **{name: date(2026, 11, 15)})
    assert _assess(_earlier(later, **was)).open_sides == ()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Demographics("Doe^Jane", date(1970, 1, 1), "F"), ""),
        (Demographics("Doe^Jane"), ""),
        (Demographics("", date(1971, 1, 1), "F"), "the birth dates differ"),
        (Demographics("", date(1970, 1, 1), "M"), "the sexes differ"),
    ],
)
def test_images_of_somebody_else_get_no_estimate(image: Demographics, reason: str) -> None:
    """What the clinical database and the images say of the person must agree, or facts and images may be of two."""
    known = {"birth_date": Fact(date(1970, 1, 1), date(2026, 1, 1)), "sex": Fact("F", date(2026, 1, 1))}
    found = bound_by_identity(Eligibility(True, "", (AxillaQuestion(Side.L),)), ClinicalFacts(known), [image])
    assert (reason in found.axillae[0].reason) and bool(found.axillae[0].reason) is bool(reason)
    sideless = bound_by_identity(Eligibility(True, ""), ClinicalFacts(known), [image])
    assert bool(sideless.reason) is bool(reason)
    assert bound_by_identity(Eligibility(True, ""), None, [image]) == Eligibility(True, "")
