"""Kill -9: a part of what `make faults` does. Nothing acknowledged is lost, and one result set a version arrives."""

from dataclasses import replace

import pytest

from agent.crashpoint import POINTS
from tests.faults.boundaries import Boundaries, Kill
from tests.faults.evidence import Kind
from tests.faults.installation import Installation, patient
from tests.faults.invariants import check
from tests.faults.senders import mammograms, send
from tests.faults.stories import ADDED, BILATERAL, CORRECTED, STRUCK, TWO_CHARTS
from tests.harness import wait_until
from tests.senders import AssociationAborted, RawAssociation

ON_SQLITE = [
    Kill("spool.after_append", 3, "tree"),
    Kill("infer.after_save", 1, "alone", ADDED),
    Kill("deliver.between_stores", 1, "tree", STRUCK),
    Kill("assemble.after_complete", 1, "alone", CORRECTED),
]
ON_POSTGRESQL = [
    Kill("receive.after_success", 1, "alone"),
    Kill("deliver.between_stores", 1, "tree", BILATERAL),
    Kill("infer.after_estimate", 1, "alone", STRUCK),
    Kill("receive.after_hl7", 1, "tree", TWO_CHARTS),
]


def test_every_declared_boundary_is_crossed(place: Installation) -> None:
    """One ordinary patient crosses every boundary of the registry, so none is declared in vain."""
    crossings = Boundaries(place).crossings()
    assert set(crossings) == set(POINTS)


@pytest.mark.parametrize("kill", ON_SQLITE, ids=str)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_kill_at_a_boundary_breaks_no_promise(place: Installation, kill: Kill) -> None:
    """What was acknowledged is there, what died is back, and the patient's reports arrive once."""
    outcome = Boundaries(place).kill(kill)
    assert outcome.died
    assert not outcome.violations


@pytest.mark.parametrize("kill", ON_POSTGRESQL, ids=str)
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_nor_does_one_on_postgresql(place: Installation, kill: Kill) -> None:
    """The same holds where the state is in PostgreSQL."""
    outcome = Boundaries(place).kill(kill)
    assert outcome.died
    assert not outcome.violations


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_an_order_that_comes_too_late_kills_nobody(place: Installation) -> None:
    """A boundary that is crossed fewer times than ordered is no kill, and is not counted as one."""
    place.up()
    before = wait_until(lambda: place.agent.living() if len(place.agent.living()) == 3 else None, 30, "no tree")
    outcome = Boundaries(place).kill(Kill("infer.after_save", 9, "alone", STRUCK))
    assert not outcome.died
    assert not outcome.violations
    assert place.agent.living() == before


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_succession_is_read_from_the_reports(place: Installation) -> None:
    """The version that adds modalities names the one before; one that does not, or that has no capture, is found."""
    assert set(Boundaries(place).crossings(ADDED)) == set(POINTS)
    seen = place.look()
    second = max(seen.versions, key=lambda version: version.case.id)
    assert (second.case.version, second.used) == (2, {"clinical", "MG", "US", "MR"})
    assert {made.role for made in second.made if made.predecessor} == {"sr:L", "text_sr"}
    unnamed = replace(second, made=[replace(made, predecessor="") for made in second.made])
    bare = replace(second, made=[made for made in second.made if not made.is_capture], outbox=[])
    others = [version for version in seen.versions if version is not second]
    assert [v.kind for v in check(replace(seen, versions=[*others, unnamed]))] == [Kind.LOST] * 2
    assert any(v.what.endswith("has no capture") for v in check(replace(seen, versions=[*others, bare])))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_sender_whose_release_is_not_answered_closes_its_socket(
    place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent may be killed in that moment; what it had acknowledged stands."""
    released: list[RawAssociation] = []

    def release(association: RawAssociation) -> None:
        released.append(association)
        raise AssociationAborted

    monkeypatch.setattr(RawAssociation, "release", release)
    place.up()
    items = mammograms(patient(place.next_patient()), "unreleased")
    assert send(place.agent.port, items, place.ledger) == []
    (association,) = released
    assert association.socket.fileno() == -1
