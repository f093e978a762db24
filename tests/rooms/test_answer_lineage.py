"""What is kept with an answer says where every part of it came from, and quotes no fact."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

from agent.core.case import Case, CaseEvent
from agent.core.clinical import ClinicalFacts, Refusal
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.result import Kind
from agent.infer.lineage import NOT_LOOKED_AT, digest_of, keyed_digest
from tests.builders import mammogram, uid
from tests.builders_bundle import PREVALENCE
from tests.fakes.store import INSTALLATION
from tests.infer_scene import BOTH_SIDES, KNOWN, ORIGIN, T0, Scene, facts, findings, four_views


def lineage(scene: Scene, case: Case) -> Mapping[str, Any]:
    """What was kept."""
    with scene.store.unit() as unit:
        return unit.lineage(case.id)


def images(kept: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each instance with what is said of it."""
    return {one["sop_instance_uid"]: {**group, **one} for group in kept["images"] for one in group["instances"]}


def test_each_image_is_kept_with_its_digest_its_role_and_why_it_was_not_used(scene: Scene) -> None:
    """Those of the version, in its order."""
    case = scene.ready(four_views())
    scene.worker().step()
    kept = images(lineage(scene, case))
    with scene.store.unit() as unit:
        stored = [one.instance for one in unit.instances(case.id)]
    assert list(kept) == [one.sop_instance_uid for one in stored]
    left = kept[uid("s1", "L", "CC")]
    assert (left["role"], left["rule"], left["left_out"]) == ("mg.cc", "MG-21", "")
    assert (left["modality"], left["laterality"], left["acquired_on"]) == ("MG", "L", "2026-01-05")
    assert left["sha256"] == stored[0].sha256
    assert {one["left_out"] for one in kept.values()} == {"", "the right breast, which is not asked about"}
    assert {one["sop_instance_uid"] for one in kept.values() if not one["left_out"]} == scene.used(case)


def test_images_of_which_the_same_is_said_stand_together(scene: Scene) -> None:
    """One group for the slices of a series, not one a slice."""
    images_ = [mammogram("R", "CC", study=f"s{n}") for n in range(3)]
    for ds in images_:
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uid("one"), uid("one", 1)
    case = scene.ready(images_)
    scene.worker().step()
    (group,) = lineage(scene, case)["images"]
    assert [one["sop_instance_uid"] for one in group["instances"]] == [ds.SOPInstanceUID for ds in images_]


def test_each_fact_is_kept_with_its_day_and_source_and_without_its_value(scene: Scene) -> None:
    """By a digest that only this installation gives it; an age is the birth date's."""
    known = facts(size_ultrasound_mm=31.5, birth_date=date(1957, 3, 9))
    case = scene.ready(four_views(), findings(known, refused=[Refusal("node_biopsy", "not one of its values")]))
    scene.worker().step()
    kept = lineage(scene, case)
    assert [(f["name"], f["known_on"], f["source"]) for f in kept["facts"]] == [
        ("size_ultrasound_mm", "2026-01-01", "demo"),
        ("age", "2026-01-01", "demo"),
    ]
    assert kept["facts"][0]["value_digest"] == keyed_digest(INSTALLATION, "size_ultrasound_mm", "float", "31.5")
    assert kept["facts_left_out"] == [{"name": "node_biopsy", "reason": "not one of its values"}]
    said = json.dumps(kept)
    assert "31.5" not in said
    assert "1957" not in said
    assert scene.patient.patient_id not in said


def test_a_digest_is_of_this_installation() -> None:
    """Of another one the same value has another."""
    here = keyed_digest(INSTALLATION, "grade", "int", "2")
    assert len(here) == 32
    assert keyed_digest(INSTALLATION, "grade", "int", "3") != here
    assert keyed_digest(INSTALLATION.__class__(int=1), "grade", "int", "2") != here


def test_each_object_is_kept_with_its_digest_and_who_gets_it(scene: Scene) -> None:
    """Also one that nobody gets."""
    case = scene.ready(four_views())
    kinds = {"pacs": frozenset({Kind.SR}), "viewer": frozenset({Kind.SR})}
    replace(scene.worker(), destinations=kinds).step()
    sr, text = lineage(scene, case)["objects"]
    with scene.store.unit() as unit:
        (saved,) = unit.result_objects(case.id)
    assert sr == {
        "role": "sr:L",
        "kind": "sr",
        "sop_class_uid": saved.sop_class_uid,
        "sop_instance_uid": saved.sop_instance_uid,
        "sha256": sha256(saved.encoded).hexdigest(),
        "bytes": len(saved.encoded),
        "to": ["pacs", "viewer"],
    }
    assert (text["role"], text["to"]) == ("text_sr:L", [])


def test_model_site_configuration_and_code_are_kept(scene: Scene) -> None:
    """And what the decision rested on."""
    found = findings()
    case = scene.ready(four_views(), found)
    scene.worker(site_prevalence=0.5).step()
    kept, model = lineage(scene, case), scene.engine.identity
    assert kept["bundle"] == {
        "name": "tiny",
        "version": "1.0.0",
        "digest": model.digest,
        "intended_use": "demonstration",
        "device": "cpu",
        "provider": "CPUExecutionProvider",
    }
    assert kept["site"]["prevalence"] == 0.5 != PREVALENCE
    assert kept["site"]["operating_points"] == {p.name: p.threshold for p in scene.result.operating_points}
    assert kept["code"] == {
        "version": "1.2.3",
        "digest": ORIGIN.code,
        "python": "3.11.2",
        "libraries": {"numpy": "2.0.0"},
    }
    assert kept["configuration"] == {"digest": ORIGIN.configuration, "keys": dict(ORIGIN.configuration_keys)}
    assert kept["ehr_query"] == ORIGIN.ehr_query
    assert kept["findings"] == digest_of(found)
    assert kept["made_at"] == T0.isoformat()
    assert kept["supersedes"] is None


def test_without_an_estimate_no_image_was_looked_at(scene: Scene) -> None:
    """Which is what stands beside each."""
    scene.patient = PatientKey("HOSPITAL", "1")
    case = scene.ready(four_views(), findings(KNOWN, axillae=BOTH_SIDES))
    scene.worker().step()
    kept = lineage(scene, case)
    assert {one["left_out"] for one in images(kept).values()} == {NOT_LOOKED_AT}
    assert kept["facts"] == []


def test_what_arrived_damaged_is_kept_and_is_no_fact(scene: Scene) -> None:
    """By its UID and modality."""
    case = scene.ready(four_views(), findings(ClinicalFacts()))
    with scene.store.unit() as unit:
        unit.arrived(
            Arrival(SpoolRef(9, 1, 1), T0, "run/1", "9.9", End.QUARANTINED, "", patient=scene.patient, modality="US")
        )
    scene.worker().step()
    kept = lineage(scene, case)
    assert kept["damaged"] == [{"what": "9.9", "modality": "US"}]
    assert kept["facts_left_out"] == []


def test_the_version_that_it_supersedes_is_kept(scene: Scene) -> None:
    """With the objects that it names."""
    first = scene.ready(four_views())
    scene.worker().step()
    with scene.store.unit() as unit:
        second = unit.open_version(unit.case(first.id), T0)
        unit.save_findings(second, findings())
        unit.apply(second, CaseEvent.COMPLETE, T0)
    scene.worker().step()
    uids = sorted(one["sop_instance_uid"] for one in lineage(scene, first)["objects"])
    assert lineage(scene, second)["supersedes"] == {"case": first.id, "version": 1, "objects": uids}
