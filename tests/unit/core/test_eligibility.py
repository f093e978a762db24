from datetime import date, timedelta

import pytest

from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.eligibility import (
    FLAGS,
    NO_ESTIMATE,
    NOT_ASKED,
    AxillaQuestion,
    Eligibility,
    Range,
    assess,
    bound_by_images,
)
from agent.core.prediction import Side

TODAY = date(2026, 11, 20)
KNOWN = date(2026, 11, 1)
CANCER: dict[str, Value] = {"diagnosis": "invasive", "side": "L", "sex": "F", "birth_date": date(1970, 1, 1)}


def _facts(*, known_on: date = KNOWN, refused: tuple[str, ...] = (), **values: Value | None) -> ClinicalFacts:
    kept = {n: Fact(v, known_on) for n, v in {**CANCER, **values}.items() if v is not None}
    return ClinicalFacts(kept, tuple(Refusal(name, "a rule") for name in refused))


def test_asks_for_the_axilla_of_the_cancer() -> None:
    """A confirmed invasive cancer asks about its own side, and nothing speaks against an estimate."""
    assert assess("aln", _facts(), TODAY) == Eligibility(True, "", (AxillaQuestion(Side.L),), None, ())


def test_cancer_of_both_sides_asks_twice() -> None:
    """Bilateral cancer gives two questions."""
    assert [axilla.side for axilla in assess("aln", _facts(side="B"), TODAY).axillae] == [Side.L, Side.R]


@pytest.mark.parametrize("diagnosis", list(NOT_ASKED))
def test_without_confirmed_invasive_cancer_nothing_is_asked(diagnosis: str | None) -> None:
    """Every diagnosis but an invasive cancer leaves the case dormant, and says why."""
    found = assess("aln", _facts(diagnosis=diagnosis), TODAY)
    assert found == Eligibility(asked=False, reason=NOT_ASKED[diagnosis])
    assert found.reason


def test_a_patient_unknown_to_the_hospital_is_not_asked_about() -> None:
    """Without any facts nothing is asked."""
    found = assess("aln", None, TODAY)
    assert (found.asked, found.reason) == (False, "the clinical database does not know the patient")


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ((), "The side of the cancer is not known."),
        (("side",), "The side of the cancer that the clinical database gives could not be read."),
    ],
)
def test_side_unknown_gives_no_estimate_for_the_patient(refused: tuple[str, ...], reason: str) -> None:
    """An answer is due, but without a side, known or refused, it names no axilla."""
    found = assess("aln", _facts(side=None, refused=refused), TODAY)
    assert (found.asked, found.axillae, found.reason) == (True, (), reason)


def test_a_diagnosis_that_cannot_be_read_is_said() -> None:
    """A value was given: "no diagnosis is known" would send nobody to look."""
    found = assess("aln", _facts(diagnosis=None, refused=("diagnosis",)), TODAY)
    assert (found.asked, found.reason) == (False, "the diagnosis that the clinical database gives could not be read")


def test_images_older_than_the_episode_are_bounded() -> None:
    """The earliest day of the episode is counted back from the diagnosis."""
    found = assess("aln", _facts(), TODAY, episode=timedelta(days=120))
    assert found.earliest == _facts().facts["diagnosis"].known_on - timedelta(days=120)
    assert assess("aln", _facts(), TODAY).earliest is None


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
    ("The patient's sex is outside the model's range.", _facts(sex="M")),
    ("The patient's age is outside the model's range.", _facts(birth_date=date(2010, 1, 1))),
    ("The birth date is implausible.", _facts(birth_date=None, refused=("birth_date",))),
    ("A date of treatment could not be read.", _facts(refused=("systemic_therapy_date",))),
    (
        "The cancer was confirmed only when treatment had begun.",
        ClinicalFacts({**_facts(surgery_date=date(2026, 11, 1)).facts}),
    ),
    (
        "The side of the cancer was recorded only when treatment had begun.",
        ClinicalFacts(
            {**_facts(surgery_date=date(2026, 11, 1)).facts, "diagnosis": Fact("invasive", date(2026, 10, 1))}
        ),
    ),
]


@pytest.mark.parametrize(("reason", "known"), EXCLUDED)
def test_no_estimate_with_its_reason(reason: str, known: ClinicalFacts) -> None:
    """An answer is due, but no number: the axilla carries the reason."""
    found = assess("aln", known, TODAY)
    assert found.asked and found.axillae == (AxillaQuestion(Side.L, reason),)


def test_every_row_of_the_table_has_its_test() -> None:
    """No exclusion stands in the table untested."""
    assert {reason for reason, _ in NO_ESTIMATE} == {reason for reason, _ in EXCLUDED}


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
]


@pytest.mark.parametrize("values", ALLOWED)
def test_what_does_not_exclude(values: dict[str, Value | None]) -> None:
    """The neighbours of each exclusion leave the estimate alone."""
    assert [axilla.reason for axilla in assess("aln", _facts(**values), TODAY).axillae] == [""]


def test_earlier_cancer_excludes_its_own_side_only() -> None:
    """In bilateral cancer the other axilla keeps its estimate."""
    found = assess("aln", _facts(side="B", previous_axillary_surgery_side="R"), TODAY)
    assert found.axillae == (AxillaQuestion(Side.L), AxillaQuestion(Side.R, "Earlier surgery of this axilla."))


def test_the_models_range_counts() -> None:
    """A model for men and for the young takes them."""
    wide = Range(frozenset({"F", "M"}), youngest=10)
    assert assess("aln", _facts(sex="M", birth_date=date(2010, 1, 1)), TODAY, limits=wide).axillae == (
        AxillaQuestion(Side.L),
    )


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
    """Whichever treatment came first bounds what is pre-operative."""
    later = {n: date(2026, 12, 9) for n in ("surgery_date", "radiotherapy_date", "systemic_therapy_date")}
    found = assess("aln", _facts(**{**later, name: date(2026, 12, 1)}), TODAY)
    assert (found.cutoff, found.cutoff_by) == (date(2026, 12, 1), words)


FLAGGED: list[tuple[str, dict[str, Value | None]]] = [
    ("A node biopsy is pending.", {"node_biopsy": "pending"}),
    ("Pregnancy.", {"pregnant": True}),
    ("Lactation.", {"lactating": True}),
    ("Breast implant.", {"implant_side": "R"}),
]


@pytest.mark.parametrize(("flag", "values"), FLAGGED)
def test_flags_do_not_exclude(flag: str, values: dict[str, Value | None]) -> None:
    """What is only flagged keeps its estimate."""
    found = assess("aln", _facts(**values), TODAY)
    assert found.flags == (flag,) and found.axillae == (AxillaQuestion(Side.L),)


def test_every_flag_has_its_test() -> None:
    """No flag stands in the table untested; their opposites raise none."""
    assert {flag for flag, _ in FLAGS} == {flag for flag, _ in FLAGGED}
    assert assess("aln", _facts(pregnant=False, lactating=False, implant_side="none"), TODAY).flags == ()


SURGERY = date(2026, 11, 10)
LATE = "All images were taken on or after surgery."


@pytest.mark.parametrize(
    ("acquired", "reason"),
    [
        ([date(2026, 11, 10), date(2026, 11, 11)], LATE),
        ([None], LATE),
        ([], LATE),
        ([date(2026, 11, 11), date(2026, 11, 9)], ""),
    ],
)
def test_images_after_surgery_alone_give_no_estimate(acquired: list[date | None], reason: str) -> None:
    """One image that is known to be older than surgery is enough; an undated one is not known to be."""
    found = bound_by_images(assess("aln", _facts(surgery_date=SURGERY), TODAY), acquired)
    assert found.asked and found.axillae == (AxillaQuestion(Side.L, reason),) and found.reason == ""


def test_images_after_surgery_of_an_unknown_side() -> None:
    """Without an axilla the reason stands for the patient."""
    found = bound_by_images(assess("aln", _facts(side=None, surgery_date=SURGERY), TODAY), [SURGERY])
    assert (found.axillae, found.reason) == ((), LATE)


def test_without_treatment_no_image_is_late() -> None:
    """No cutoff, no bound."""
    found = assess("aln", _facts(), TODAY)
    assert bound_by_images(found, [None]) is found
