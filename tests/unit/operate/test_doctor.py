"""What the doctor says of a patient: fact by fact, whether the question applies, and what each bundle would do."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from agent.core.clinical import ClinicalFacts
from agent.core.fact_rows import read_answer
from agent.core.facts import FACTS
from agent.core.manifest import BundleManifest, parse_manifest
from agent.core.patient import PatientKey
from agent.operate.doctor import ANSWERS, DEMONSTRATION, NOT_SENT, Bundle, EhrExamination, examine
from agent.operate.doctor_tables import ehr_parts
from agent.operate.status import to_json
from tests.builders_bundle import manifest

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ALICE = PatientKey("PHANTOM", "P-1")
CANCER = {"diagnosis": "invasive", "side": "L", "birth_date": "1970-02-28"}


def _facts(**columns: object) -> ClinicalFacts | None:
    row = {"patient_id": "P-1", "issuer_of_patient_id": "PHANTOM", "recorded_date": "2026-11-01", **columns}
    return read_answer([row], ALICE, NOW.date())


def _manifest(**changes: object) -> BundleManifest:
    return parse_manifest({**manifest(), "files": {}, **changes})


def _bundle(**changes: object) -> Bundle:
    return Bundle("tiny", _manifest(**changes), frozenset({"PHANTOM"}))


def _examine(*bundles: Bundle, **columns: object) -> EhrExamination:
    return examine(_facts(**columns), ALICE, bundles, as_of=NOW, today=NOW.date(), episode=timedelta(days=120))


def _said(seen: EhrExamination, width: int = 1000) -> str:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(*ehr_parts(seen))
    return console.export_text()


def test_every_fact_of_the_dictionary_is_taken_refused_or_missing() -> None:
    """With value, unit, day and source, or with the reason."""
    seen = _examine(**CANCER, size_mri_mm=14, size_mri_mm_source="report", grade=9, shoe_size=38)
    lines = {line.name: line for line in seen.facts}
    assert set(lines) == {*FACTS, "shoe_size"}
    mri = lines["size_mri_mm"]
    assert (mri.value, mri.unit, mri.known_on, mri.source, mri.verdict) == (14.0, "mm", "2026-11-01", "report", "taken")
    assert (lines["grade"].value, lines["grade"].verdict, lines["grade"].reason) == (None, "refused", "outside 1 to 3")
    assert (lines["shoe_size"].verdict, lines["shoe_size"].reason) == ("refused", "not a known fact")
    assert (lines["her2"].verdict, lines["her2"].reason) == ("missing", "")
    assert lines["birth_date"].value == "1970-02-28"
    table, _, after = _said(seen).partition("missing: ")
    assert "14.0 mm" in table and "refused: outside 1 to 3" in table and "1970-02-28 date" not in table
    assert "her2" not in table and "her2, ki67_percent" in after


def test_says_which_axillae_are_asked_about_and_until_when() -> None:
    """And what is to be mentioned."""
    seen = _examine(**CANCER, previous_breast_cancer_side="L", surgery_date="2026-11-10", pregnant=True)
    assert seen.asked and seen.axillae == (("L", "An earlier breast cancer on this side."),)
    assert seen.cutoff == "2026-11-10 (surgery)" and seen.flags == ("Pregnancy.",)
    said = _said(seen)
    assert "left axilla: no estimate. An earlier breast cancer on this side." in said
    assert "Images and facts from 2026-11-10 (surgery) on are left out." in said and "Pregnancy." in said


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"diagnosis": "benign"}, "Not asked: the diagnosis is benign."),
        ({"diagnosis": "invasive"}, "Asked, but there can be no estimate: The side of the cancer is not known."),
        (CANCER, "left axilla: an estimate may be given"),
        ({**CANCER, "side": "B"}, "right axilla: an estimate may be given"),
    ],
)
def test_says_whether_the_question_applies(columns: dict[str, object], words: str) -> None:
    """In the words of the rule."""
    assert words in _said(_examine(**columns))


def test_says_what_a_bundle_would_get_by_the_way_that_a_case_goes() -> None:
    """What is there, what is missing, and what is left out and why."""
    names = [spec.name for spec in _manifest().facts]
    assert names == ["size_ultrasound_mm", "age"]
    (line,) = _examine(_bundle(), **CANCER, size_ultrasound_mm=30).bundles
    assert (line.used, line.facts, line.missing, line.left_out) == (("size_ultrasound_mm", "age"), 2, (), ())
    (line,) = _examine(_bundle(), **CANCER).bundles
    assert (line.used, line.missing) == (("age",), ("size_ultrasound_mm",))
    late = {**CANCER, "size_ultrasound_mm": 30, "size_ultrasound_mm_date": "2026-11-15", "surgery_date": "2026-11-10"}
    (line,) = _examine(_bundle(), **late).bundles
    assert line.left_out == (("size_ultrasound_mm", "became known on or after surgery"),)
    both = _examine(_bundle(), **{**CANCER, "side": "B"}, size_ultrasound_mm=30)
    assert [name for name, _ in both.bundles[0].left_out] == ["size_ultrasound_mm"]
    assert "uses 1 of 2 facts; size_ultrasound_mm left out: the clinical database describes one tumour" in _said(both)
    assert "left out: birth_date" not in _said(both)
    assert "missing size_ultrasound_mm" in _said(_examine(_bundle(), **CANCER))


def test_says_what_is_unusual_and_what_images_a_bundle_needs() -> None:
    """So that nobody waits for an estimate that cannot come."""
    odd = _examine(_bundle(required=["MG"]), **CANCER, size_ultrasound_mm=199)
    assert odd.bundles[0].unusual == ("size_ultrasound_mm",)
    assert "outside what it was trained on: size_ultrasound_mm" in _said(odd)
    assert "can use MG; no estimate without MG" in _said(odd)
    assert "can use MG; none is required" in _said(_examine(_bundle(), **CANCER))
    assert "no estimate without clinical" in _said(_examine(_bundle(modalities=["clinical"], required=["clinical"])))


@pytest.mark.parametrize(
    ("changes", "bundle", "would"),
    [
        ({"intended_use": "demonstration"}, {}, ANSWERS),
        ({"intended_use": "demonstration"}, {"demo_issuers": frozenset()}, DEMONSTRATION),
        ({"intended_use": "research"}, {}, NOT_SENT),
        ({"intended_use": "research"}, {"send_research": True}, ANSWERS),
    ],
)
def test_says_whether_a_bundle_may_answer(changes: dict[str, object], bundle: dict[str, bool], would: str) -> None:
    """By its intended use and what the site allows."""
    (line,) = _examine(replace(_bundle(**changes), **bundle), **CANCER).bundles  # type: ignore[arg-type]  # its fields
    assert line.would == would


def test_of_two_bundles_of_a_question_the_first_answers() -> None:
    """One that cannot be read is named with its problem and stops no other."""
    broken = Bundle("old", None, problem="cannot be read: no bundle there")
    seen = _examine(broken, _bundle(), _bundle(name="second"), _bundle(question="nsln"), **CANCER)
    first = seen.bundles[1].bundle
    assert [line.would for line in seen.bundles] == [
        broken.problem,
        ANSWERS,
        f"silent: {first} answers before it",
        ANSWERS,
    ]
    assert broken.problem in _said(seen)


def test_an_unknown_patient_is_said_with_what_to_compare() -> None:
    """And nothing else."""
    seen = examine(None, ALICE, [_bundle()], as_of=NOW, today=date(2026, 11, 20), episode=timedelta(days=120))
    assert not seen.known and not seen.asked and not seen.facts and not seen.bundles
    assert "patient P-1 of issuer PHANTOM: the clinical database does not know the patient." in _said(seen)


@pytest.mark.parametrize("source", ["[red]x[/red]", "[/]", "a\x1b[2Jb"])
def test_no_value_of_a_database_is_markup_or_moves_the_cursor(source: str) -> None:
    """It is shown as it is, its control characters replaced."""
    said = _said(_examine(**CANCER, side_source=source))
    assert source.replace("\x1b", "\N{REPLACEMENT CHARACTER}") in said
    assert "\x1b" not in said


@pytest.mark.parametrize("columns", [CANCER, {}, {**CANCER, "surgery_date": "2026-11-10", "multifocal": True}])
def test_everything_can_be_written_as_json(columns: dict[str, object]) -> None:
    """Values keep their types."""
    told = json.loads(json.dumps(to_json(_examine(_bundle(), **columns))))
    values = {line["name"]: line["value"] for line in told["facts"]}
    assert values["multifocal"] == columns.get("multifocal")
    assert told["bundles"][0]["facts"] == 2


def test_bundles_are_kept_in_the_order_of_the_configuration() -> None:
    """It decides who answers."""
    bundles: Sequence[Bundle] = [_bundle(name=name) for name in ("b", "a")]
    assert [line.bundle.split()[0] for line in _examine(*bundles, **CANCER).bundles] == ["b", "a"]
