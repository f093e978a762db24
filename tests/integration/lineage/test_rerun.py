"""`sentinode rerun`: the same numbers and bytes from what was saved, and never a row changed by looking."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from agent.bootstrap.rerunning import rerun_case
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.errors import Permanent
from agent.core.instance import Arrival, End, SpoolRef
from agent.core.ports import Unit
from agent.dicom.decoding import Decoder
from agent.infer.recompute import InputsGone
from agent.operate.lineage import Change
from tests.builders import PATIENT, uid
from tests.builders_bundle import write_bundle
from tests.infer_scene import BOTH_SIDES, T0, facts, findings, four_views
from tests.integration.lineage.conftest import Answered, Installation, answer_once

pytestmark = pytest.mark.usefixtures("one_decoder")


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory, warm_decoder: Decoder) -> Answered:
    """Both axillae, estimated from four views and two facts."""
    return answer_once(tmp_path_factory, warm_decoder, findings(axillae=BOTH_SIDES))


def test_the_same_numbers_and_the_same_bytes_come_out_again(installation: Installation, case: Case) -> None:
    """Two SRs, two in reserve, the text SR, five captures; what it does is said, and not a row changes."""
    before, said = installation.rows(), list[str]()
    seen = installation.dry(case, said)
    assert seen.same
    assert seen.compared == 10
    assert seen.lineage == ()
    assert said == ["loading the bundles", "computing from 4 images"]
    assert installation.rows() == before
    assert [one["side"] for one in seen.answers] == [
        a["side"] for a in installation.do(lambda u: u.summary(case.id))["answers"]
    ]


@pytest.mark.parametrize(
    "events",
    [
        (CaseEvent.ALL_CONFIRMED,),
        (CaseEvent.GAVE_UP,),
        (CaseEvent.CONFLICT_FOUND,),
        (CaseEvent.WITHDRAWN,),
    ],
)
def test_it_works_whatever_became_of_the_version(
    installation: Installation, case: Case, events: tuple[CaseEvent, ...]
) -> None:
    """Done, failed, held, closed."""
    moved = installation.apply(case, *events)
    assert installation.dry(moved).same
    assert installation.do(lambda unit: unit.case(case.id)) == moved


def test_what_came_later_changes_nothing(installation: Installation, case: Case) -> None:
    """Not an image that could not be read, nor a person's leaving one out, nor the next version."""

    def later(unit: Unit) -> None:
        unit.arrived(Arrival(SpoolRef(9, 1, 1), T0, "run/9", "9.9", End.QUARANTINED, "", PATIENT, "9", "MG"))
        unit.bar(unit.instances(case.id)[0], "left out by a person")
        unit.open_version(unit.case(case.id), T0)

    installation.do(later)
    assert installation.dry(case).same


def test_a_later_version_is_worked_out_beside_the_one_that_it_supersedes(
    installation: Installation, case: Case
) -> None:
    """It names that one's objects, then as now."""
    second = installation.do(lambda unit: unit.open_version(unit.case(case.id), T0))
    installation.answer(second, four_views("s2", date(2026, 1, 6)))
    assert installation.dry(second).same
    assert installation.dry(case).same


def test_an_answer_without_a_number_is_the_same_too(empty: Installation) -> None:
    """Its reason, and its pages."""
    refused = empty.answered(four_views(), findings(reason="the treatment began before the images"))
    seen = empty.dry(refused)
    assert seen.same
    assert seen.compared == 2


def test_another_configuration_shows_in_the_numbers_and_is_named(installation: Installation, case: Case) -> None:
    """Every value that differs, every object, and what is not as it was."""
    installation.override("site", prevalence=0.4)
    seen = installation.dry(case)
    assert {"L probability", "R probability", "L contribution of prior"} <= {one.about for one in seen.numbers}
    assert len(seen.objects) == 10
    assert Change("configuration", "other values of site.prevalence") in seen.lineage
    assert Change("site", "prevalence: none → 0.4") in seen.lineage


def test_another_bundle_that_computes_the_same_is_named(installation: Installation, case: Case) -> None:
    """The numbers are the same, the reports name another model."""
    write_bundle(installation.folder / "tiny-1.0.1", version="1.0.1")
    installation.override_models("tiny-1.0.1")
    seen = installation.dry(case)
    assert seen.numbers == ()
    assert seen.objects
    assert Change("model", "version: 1.0.0 → 1.0.1") in seen.lineage


def test_bytes_that_are_gone_are_named(installation: Installation, case: Case) -> None:
    """Each image, and that it cannot be worked out; where there are many, not all."""
    installation.config.storage.spool.rename(installation.folder / "gone")
    with pytest.raises(InputsGone) as caught:
        installation.dry(case)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"case {case.id} cannot be worked out again; not as it was then:"
    assert lines[1:] == [f"  {uid('s1', s, v)}: a spool segment is gone" for s in "LR" for v in ("CC", "MLO")]


def test_an_image_that_was_taken_out_or_replaced_is_named(installation: Installation, case: Case) -> None:
    """And findings that were decided anew."""

    def change(unit: Unit) -> None:
        held = unit.apply(unit.case(case.id), CaseEvent.CONFLICT_FOUND, T0)
        unit.unlink(held, unit.instances(case.id)[0])
        unit.save_findings(held, findings(facts()))

    installation.do(change)
    installation.sql("UPDATE instance SET sha256 = 'another' WHERE sop_instance_uid = ?", uid("s1", "R", "CC"))
    with pytest.raises(InputsGone) as caught:
        installation.dry(case)
    assert str(caught.value).splitlines()[1:] == [
        "  findings: decided anew since",
        f"  {uid('s1', 'L', 'CC')}: no longer in this case",
        f"  {uid('s1', 'R', 'CC')}: another object took its place",
    ]


def test_bytes_that_are_others_are_named(installation: Installation, case: Case) -> None:
    """Where a row points at the record of another image."""
    ref = installation.do(lambda unit: unit.instances(case.id)[1].ref)
    installation.sql("UPDATE instance SET offset_bytes = ? WHERE id = 1", ref.offset)
    with pytest.raises(InputsGone, match="its bytes are others"):
        installation.dry(case)


def test_a_version_without_an_answer_has_nothing_to_compare(empty: Installation) -> None:
    """Nor has a number that no case has."""
    collecting = empty.do(lambda unit: unit.open_case("aln", PATIENT, T0, UUID(int=5)))
    with pytest.raises(Permanent, match="is collecting: no answer with its lineage was saved"):
        empty.dry(collecting)
    with pytest.raises(Permanent, match="there is no case 7"):
        empty.dry(replace(collecting, id=7))


def test_a_patient_whose_id_was_merged_since_is_told(installation: Installation, case: Case) -> None:
    """The objects name her; that is what differs."""
    installation.sql("UPDATE cases SET patient_id = 'OTHER' WHERE id = ?", case.id)
    seen = installation.dry(case)
    assert "patient" in {change.part for change in seen.lineage}
    assert seen.numbers == ()


def test_a_failed_version_is_answered_again_and_its_lineage_with_it(installation: Installation, case: Case) -> None:
    """By whichever bundle is configured then."""
    installation.apply(case, CaseEvent.GAVE_UP)
    installation.override("site", prevalence=0.4)
    assert rerun_case(installation.config, case.id).state is CaseState.READY
    installation.work()
    again = installation.do(lambda unit: unit.case(case.id))
    assert again.state is CaseState.DELIVERING
    assert installation.do(lambda unit: unit.lineage(case.id))["site"]["prevalence"] == 0.4
    assert installation.dry(case).same
