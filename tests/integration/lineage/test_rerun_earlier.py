"""`sentinode rerun --dry` of a later version: beside what the earlier ones had sent when it was answered."""

from datetime import date

import pytest
import yaml

from agent.core.case import Case, CaseEvent
from agent.core.errors import Permanent
from agent.core.ports import OutboxStatus, Unit
from agent.core.result import Kind
from tests.infer_scene import T0, findings, four_views
from tests.integration.lineage.conftest import Installation
from tests.peers import ROOT

pytestmark = pytest.mark.usefixtures("one_decoder")


@pytest.fixture
def installation(empty: Installation) -> Installation:
    """Each answers its first version in a way of its own."""
    return empty


def settle(installation: Installation, case: Case, status: OutboxStatus) -> None:
    """Let every delivery of a version end alike."""

    def ended(unit: Unit) -> None:
        for item in unit.outbox_of(case.id):
            unit.settle(item, status, T0, error="given up" if status is OutboxStatus.REFUSED else "")

    installation.do(ended)


def second(installation: Installation, *, rejecting: bool, sent: bool) -> tuple[Case, Case]:
    """Answer two versions, of which the earlier one is on its way or sent."""
    (destination,) = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["destinations"]
    content = yaml.safe_load(installation.overrides.read_text(encoding="utf-8"))
    installation.write({**content, "destinations": [{**destination, "reject_superseded": rejecting}]})
    first = installation.answered(four_views(), findings())
    if sent:
        settle(installation, first, OutboxStatus.CONFIRMED)
        installation.apply(first, CaseEvent.ALL_CONFIRMED)
    later = installation.do(lambda unit: unit.open_version(unit.case(first.id), T0))
    return first, installation.answer(later, four_views("s2", date(2026, 1, 6)))


def test_a_version_that_rejects_does_so_again(installation: Installation) -> None:
    """With the very same bytes, also after its rejection arrived."""
    _, later = second(installation, rejecting=True, sent=True)
    assert any(one.kind is Kind.REJECTION for one in installation.do(lambda unit: unit.result_objects(later.id)))
    assert installation.dry(later).same
    settle(installation, later, OutboxStatus.CONFIRMED)
    seen = installation.dry(later)
    assert seen.same
    assert seen.lineage == ()


def test_what_becomes_of_the_predecessor_changes_nothing(installation: Installation) -> None:
    """It was on its way when it was named, and nobody took it."""
    first, later = second(installation, rejecting=False, sent=False)
    assert installation.dry(later).same
    settle(installation, first, OutboxStatus.REFUSED)
    assert installation.do(lambda unit: unit.references(first.id)) == {}
    seen = installation.dry(later)
    assert seen.same
    assert seen.lineage == ()


def test_a_lineage_of_before_is_not_guessed_at(installation: Installation) -> None:
    """What was not kept cannot be compared."""
    case = installation.answered(four_views(), findings())
    kept = dict(installation.do(lambda unit: unit.lineage(case.id)))
    del kept["earlier"]

    def forget(unit: Unit) -> None:
        unit.keep_lineage(unit.case(case.id), kept)

    installation.do(forget)
    with pytest.raises(Permanent, match="what it superseded was not kept"):
        installation.dry(case)
