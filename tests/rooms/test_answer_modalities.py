"""Whichever modalities are there, the others contribute nothing and are said to be missing."""

from datetime import date
from itertools import product

import pytest

from agent.core.case import CaseEvent
from agent.core.clinical import ClinicalFacts
from agent.core.prediction import NoEstimate, Side
from agent.infer.compute import NO_EVIDENCE
from tests.builders import mammogram, uid
from tests.builders_us_mr import dynamic, ultrasound
from tests.infer_scene import BOTH_SIDES, KNOWN, T0, Scene, findings

IMAGES = {
    "MG": [mammogram("L", "CC"), mammogram("L", "MLO")],
    "US": [ultrasound("L", 1), ultrasound("L", 2)],
    "MR": dynamic(phases=3, slices=3),
}
ALL = ("clinical", "MG", "US", "MR")


@pytest.mark.parametrize("mask", list(product((False, True), repeat=4)))
def test_every_subset_of_modalities_is_answered(wide: Scene, mask: tuple[bool, ...]) -> None:
    """Contributions add up; without anything there is no estimate."""
    there = [name for name, is_there in zip(ALL, mask, strict=True) if is_there]
    images = [ds for name in there for ds in IMAGES.get(name, ())]
    wide.ready(images, findings(KNOWN if "clinical" in there else ClinicalFacts()))
    wide.worker().step()
    assert wide.result.modalities_used == tuple(there)
    assert wide.result.modalities_missing == tuple(name for name in ALL if name not in there)
    if not there:
        assert wide.result.answers == (NoEstimate(Side.L, NO_EVIDENCE),)
        return
    (estimate,) = wide.result.estimates
    assert [name for name in ALL if estimate.contributions[name]] == there
    assert {i.modality for i in wide.result.influences} == set(there) - {"clinical"}
    for name in set(there) - {"clinical"}:
        shares = sum(i.contribution for i in wide.result.influences if i.modality == name)
        assert shares == pytest.approx(estimate.contributions[name], abs=1e-5)


def test_axillae_with_different_evidence_share_a_run(wide: Scene) -> None:
    """One has a mammogram, the other an ultrasound, both an MR."""
    images = [mammogram("L", "CC"), ultrasound("R", 1), *IMAGES["MR"]]
    wide.ready(images, findings(axillae=BOTH_SIDES))
    wide.worker().step()
    by_side = {estimate.side: estimate.contributions for estimate in wide.result.estimates}
    assert by_side[Side.L]["MG"] > 0 == by_side[Side.L]["US"]
    assert by_side[Side.R]["US"] > 0 == by_side[Side.R]["MG"]
    assert min(by_side[Side.L]["MR"], by_side[Side.R]["MR"]) > 0


def test_the_newest_study_comes_first_among_what_was_used(wide: Scene) -> None:
    """The report goes there."""
    images = [
        mammogram("L", "CC", day=date(2026, 1, 2)),
        ultrasound("L", 1, day=date(2026, 1, 4)),
        *dynamic(phases=2, slices=1, day=date(2026, 1, 3)),
    ]
    wide.ready(images)
    wide.worker().step()
    assert [i.modality for i in wide.result.used] == ["US", "MR", "MR", "MG"]
    assert [s.instance for s in wide.sources] == list(wide.result.used)


def test_an_ultrasound_that_comes_late_is_used_by_the_next_version(wide: Scene) -> None:
    """Version 1 stays as it is; version 2 rests on both, names the objects of version 1 and says what is new."""
    first = wide.ready([mammogram("L", "CC")])
    wide.worker().step()
    assert wide.result.new_inputs == ()
    before = wide.summary(first)
    with wide.store.unit() as unit:
        second = unit.open_version(unit.case(first.id), T0)
    wide.add(second, [ultrasound("L", 1)])
    with wide.store.unit() as unit:
        second = unit.case(second.id)
        unit.save_findings(second, findings())
        unit.apply(second, CaseEvent.COMPLETE, T0)
    wide.worker().step()
    assert wide.result.version == 2
    assert wide.result.modalities_used == ("clinical", "MG", "US")
    assert wide.used(second) == {uid("s1", "L", "CC"), uid("u1", "L", 1)}
    assert wide.result.predecessors
    assert wide.result.new_inputs == ("US",)
    assert wide.summary(first) == before
