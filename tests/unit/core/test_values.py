"""Patients, predictions, results and manifests: values that cannot be wrong once they exist."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import Permanent, Rejected, SentinodeError, StaleCase, Transient
from agent.core.instance import SpoolRef
from agent.core.manifest import SCHEMA, BundleManifest, FactSpec, Tensor, parse_manifest
from agent.core.patient import PatientKey, patient_key
from agent.core.ports import OutboxStatus, RecordKind
from agent.core.prediction import Category, Estimate, NoEstimate, OperatingPoint, Side, categorise
from agent.core.result import Kind, ModelIdentity, Result, ResultObject

LOW, HIGH = OperatingPoint("low", 0.1, 0.95, 0.4), OperatingPoint("high", 0.6, 0.5, 0.9)


# patients


@pytest.mark.parametrize(
    ("issuer", "site_issuer", "expected"),
    [("OTHER", "SITE", "OTHER"), (" OTHER ", None, "OTHER"), ("", "SITE", "SITE"), ("  ", None, "AE:MAMMO1")],
)
def test_who_issued_a_patient_id(issuer: str, site_issuer: str | None, expected: str) -> None:
    """The object's issuer counts, else the site's, else the sender keeps its patients apart."""
    assert patient_key(" 4711 ", issuer, site_issuer, " MAMMO1 ") == PatientKey(expected, "4711")


@pytest.mark.parametrize("patient_id", ["", "   "])
def test_without_patient_id_nobody_is_meant(patient_id: str) -> None:
    """An object without Patient ID cannot be used."""
    with pytest.raises(Rejected, match=r"0010,0020"):
        patient_key(patient_id, "OTHER", "SITE", "MAMMO1")


@given(st.text(), st.text(), st.text(min_size=1))
def test_senders_without_issuer_never_share_a_patient(one: str, other: str, patient_id: str) -> None:
    """The same Patient ID of two senders is two patients."""
    if not patient_id.strip() or one.strip() == other.strip():
        return
    assert patient_key(patient_id, "", None, one) != patient_key(patient_id, "", None, other)


# errors


@pytest.mark.parametrize("kind", [Transient, Permanent, Rejected, StaleCase])
def test_every_error_on_purpose_has_one_root(kind: type[Exception]) -> None:
    """The command line and the task runner know our errors by their root; none is of two classes."""
    assert issubclass(kind, SentinodeError)
    assert [c for c in (Transient, Permanent, Rejected, StaleCase) if issubclass(kind, c)] == [kind]


# predictions


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, Category.LOW),
        (0.0999, Category.LOW),
        (0.1, Category.NOT_LOW),
        (0.5999, Category.NOT_LOW),
        (0.6, Category.HIGH),
        (1.0, Category.HIGH),
    ],
)
def test_a_probability_lies_between_the_operating_points(probability: float, expected: Category) -> None:
    """LOW below the low point, HIGH from the high point on."""
    assert categorise(probability, (HIGH, LOW)) is expected


def test_without_a_high_point_nothing_is_high() -> None:
    """A bundle may have a low point alone."""
    assert categorise(1.0, (LOW,)) is Category.NOT_LOW


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_estimate_lies_in_its_interval(a: float, b: float, c: float) -> None:
    """Sorted numbers make an estimate."""
    low, probability, high = sorted((a, b, c))
    assert Estimate(Side.L, probability, low, high, Category.LOW, {}).probability == probability


@pytest.mark.parametrize(
    ("low", "probability", "high"), [(0.3, 0.2, 0.4), (0.1, 0.5, 0.4), (-0.1, 0.2, 0.4), (0.1, 0.2, 1.1)]
)
def test_an_estimate_outside_its_interval_cannot_exist(low: float, probability: float, high: float) -> None:
    """An interval that does not hold the probability, or leaves [0, 1], is refused."""
    with pytest.raises(ValueError, match="does not hold"):
        Estimate(Side.L, probability, low, high, Category.LOW, {})


# results


def test_the_estimates_of_a_result_are_its_numbers() -> None:
    """An axilla without an estimate is an answer, but no number."""
    estimate = Estimate(Side.R, 0.2, 0.1, 0.3, Category.LOW, {"prior": -1.4})
    result = Result(
        installation=UUID(int=1),
        case_uuid=UUID(int=2),
        version=1,
        question="aln",
        patient=PatientKey("PHANTOM", "1"),
        made_at=datetime(2026, 11, 21, tzinfo=UTC),
        answers=(estimate, NoEstimate(Side.L, "earlier surgery on this side")),
        used=(),
        facts_used=(),
        modalities_used=(),
        modalities_missing=(),
        left_out=(),
        influences=(),
        evidence=(),
        model=ModelIdentity("aln", "1", "0" * 64, "demonstration", "", "", 0.3),
        operating_points=(LOW, HIGH),
        predecessors={},
    )
    assert result.estimates == (estimate,)
    assert replace(result, answers=result.answers[1:]).estimates == ()


def test_an_object_refers_to_itself_by_its_uids() -> None:
    """A reference holds what another object needs to name this one."""
    made = ResultObject(Kind.SR, "sr:L", "L", 0, "class", "instance", "study", "series", "syntax", b"")
    reference = made.reference
    assert (reference.sop_class_uid, reference.sop_instance_uid) == ("class", "instance")
    assert (reference.study_instance_uid, reference.series_instance_uid) == ("study", "series")


def test_reports_are_sent_before_captures() -> None:
    """The order of the kinds is the order of sending."""
    assert list(Kind)[:3] == [Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE]


# places


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))))
def test_places_in_the_spool_are_ordered(places: list[tuple[int, int, int]]) -> None:
    """By segment, then generation, then offset."""
    refs = [SpoolRef(*place) for place in places]
    assert sorted(refs) == [SpoolRef(*place) for place in sorted(places)]


def test_names_that_are_stored_do_not_change() -> None:
    """These words stand in spools and databases of installations."""
    assert [str(kind) for kind in RecordKind] == [
        "receiver_started",
        "association_opened",
        "association_closed",
        "instance",
        "event_report",
        "hl7",
    ]
    stored = ["waiting", "sent", "confirmed", "refused", "spare", "awaiting_report"]
    assert [str(status) for status in OutboxStatus] == stored


# manifests


def manifest() -> dict[str, Any]:
    """Return a manifest as JSON reads it."""
    clinical = Tensor("clinical", "float32", ("N", 2), "N F", 0.0, 1.0)
    raw = BundleManifest(
        name="aln-demo",
        version="1.0.0",
        question="aln",
        intended_use="demonstration",
        label="node-positive",
        modalities=("clinical",),
        required=(),
        inputs=(clinical,),
        outputs=(replace(clinical, name="logit", shape=("N",)),),
        facts=(FactSpec("age", "years", mean=60.0, sd=12.0), FactSpec("grade", "", values=("1", "2", "3"))),
        preprocessing={},
        operating_points=(LOW, HIGH),
        training_prevalence=0.3,
        training={},
        metrics={},
        opset=20,
        licence="Apache-2.0",
        files={},
    )
    parsed: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **asdict(raw)}))
    return parsed


def test_a_manifest_is_read() -> None:
    """JSON's lists become tuples of values, all of them."""
    read = parse_manifest(manifest())
    assert read.inputs[0].shape == ("N", 2)
    assert read.outputs[0].name == "logit"
    assert [fact.name for fact in read.facts] == ["age", "grade"]
    assert read.facts[1].values == ("1", "2", "3")
    assert read.operating_points == (LOW, HIGH)
    assert json.loads(json.dumps({"schema": SCHEMA, **asdict(read)})) == manifest()
    assert {f.name for f in fields(BundleManifest)} | {"schema"} == set(manifest())


def test_the_values_of_a_fact_may_be_left_out() -> None:
    """A number needs no list of values."""
    raw = manifest()
    del raw["facts"][0]["values"]
    assert parse_manifest(raw).facts[0].values == ()


@pytest.mark.parametrize(("intended_use", "expected"), [("demonstration", True), ("research", False)])
def test_a_demonstration_says_so(intended_use: str, expected: bool) -> None:
    """What was trained on synthetic patients is known by its intended use."""
    assert parse_manifest(manifest() | {"intended_use": intended_use}).is_demonstration is expected


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda raw: raw.pop("schema"), "schema None"),
        (lambda raw: raw.update(schema=99), "schema 99"),
        (lambda raw: raw.pop("inputs"), "inputs"),
        (lambda raw: raw.pop("licence"), "licence"),
        (lambda raw: raw.update(weights="x.pkl"), "weights"),
        (lambda raw: raw.update(inputs=[{"name": "clinical"}]), "shape"),
        (lambda raw: raw["operating_points"].append({"name": "low"}), "threshold"),
        (lambda raw: raw["operating_points"][0].update(by_inputs={"MG": [0.9]}), "out of range"),
        (lambda raw: raw.update(modalities=None), "NoneType"),
    ],
)
def test_a_wrong_manifest_is_refused(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    """Another schema, a missing or unknown key and a wrong form are each refused by name."""
    raw = manifest()
    change(raw)
    with pytest.raises(Permanent, match=complaint):
        parse_manifest(raw)


@given(st.sampled_from(sorted(manifest())), st.none() | st.integers() | st.text(min_size=1) | st.lists(st.text()))
def test_no_value_breaks_the_parser(key: str, value: object) -> None:
    """Whatever stands under a key, the answer is a manifest or one refusal."""
    refusals: list[str] = []
    try:
        parse_manifest(manifest() | {key: value})
    except Permanent as refusal:
        refusals.append(str(refusal))
    assert all(refusal.startswith("manifest.json: ") for refusal in refusals)
    assert refusals or key != "schema" or value == SCHEMA


def test_a_manifest_may_cover_more_patients() -> None:
    """Those whom the table of eligibility knows; without a word, none."""
    assert parse_manifest(manifest()).covers == ()
    assert parse_manifest(manifest() | {"covers": ["cN+", "M1"]}).covers == ("cN+", "M1")


@pytest.mark.parametrize("covers", [["cN0"], 3, [["M1"]]])
def test_what_a_manifest_cannot_cover(covers: object) -> None:
    """A word that no rule knows would never take effect."""
    with pytest.raises(Permanent, match=r"manifest\.json"):
        parse_manifest(manifest() | {"covers": covers})
