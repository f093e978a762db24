"""Kill -9: a part of what `make faults` does. Nothing acknowledged is lost, and one result set a version arrives."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from agent.core.ports import RecordKind
from agent.crashpoint import POINTS
from agent.spool import SpoolReader
from tests.faults.boundaries import Boundaries, Kill
from tests.faults.evidence import Kind, Violation
from tests.faults.installation import Installation, patient
from tests.faults.invariants import check
from tests.faults.news import merge, tell_until_taken
from tests.faults.random_kills import RandomKills
from tests.faults.senders import Ledger, mammograms, send
from tests.faults.stories import ADDED, BILATERAL, CORRECTED, STRUCK, TWO_CHARTS
from tests.harness import wait_until
from tests.senders import AssociationAborted, RawAssociation

KILLS = [
    ("sqlite", Kill("spool.after_append", 3, "tree")),
    ("sqlite", Kill("infer.after_save", 1, "alone", ADDED)),
    ("sqlite", Kill("deliver.between_stores", 1, "tree", STRUCK)),
    ("sqlite", Kill("assemble.after_complete", 1, "alone", CORRECTED)),
    ("postgresql", Kill("receive.after_success", 1, "alone")),
    ("postgresql", Kill("deliver.between_stores", 1, "tree", BILATERAL)),
    ("postgresql", Kill("infer.after_estimate", 1, "alone", STRUCK)),
    ("postgresql", Kill("receive.after_hl7", 1, "tree", TWO_CHARTS)),
]
RANDOM = 5
SEED = 20260101


def test_every_declared_boundary_is_crossed(place: Installation) -> None:
    """One ordinary patient crosses every boundary of the registry, so none is declared in vain."""
    crossings = Boundaries(place).crossings()
    assert set(crossings) == set(POINTS)


@pytest.mark.parametrize(("place", "kill"), KILLS, ids=str, indirect=["place"])
def test_a_kill_at_a_boundary_breaks_no_promise(place: Installation, kill: Kill) -> None:
    """What was acknowledged is there, what died is back, and the patient's reports arrive once."""
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


def test_random_kills_under_load_break_no_promise(place: Installation) -> None:
    """Tree and single processes die while three modalities send; all is there once, and the agent stops in order."""
    kills: list[bool] = []
    broken: list[Violation] = []

    def tell(what: str, violations: list[Violation], *, is_kill: bool) -> None:
        kills.append(is_kill)
        broken.extend(violations)

    seen = RandomKills(place, SEED).run(RANDOM, tell)
    assert broken == []
    assert kills == [True] * RANDOM + [False]
    assert len(seen.acknowledged) > 12


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_damage_behind_the_agents_back_is_seen(place: Installation) -> None:
    """The evidence is read from the disks: bytes changed in the spool and a file gone from an archive are losses.

    What is sent under a key that was retired is seen where it arrives.
    """
    place.up()
    surviving, other = patient(place.next_patient()), patient(place.next_patient())
    tell_until_taken(place.hl7_port, merge(surviving, other, "A40-damage"), place.ledger, Event())
    assert place.wait_ended()
    place.agent.kill()
    place.forget()
    seen = place.look()
    assert check(seen) == []
    retired = next(message.retired for message in seen.messages if message.retired)
    assert send(place.archives["listing"].port, mammograms(retired, "leak")[:1], Ledger()) == []
    assert Kind.RETIRED in {violation.kind for violation in check(place.look())}
    uid = damage_one_object(place.folder / "spool")
    next(iter(place.archives["listing"].folder.glob("*.dcm"))).unlink()
    place.forget()
    found = [violation for violation in check(place.look()) if violation.kind is Kind.LOST]
    assert any(violation.what.endswith(f"not in the spool: {uid}") for violation in found)
    assert any(violation.what.endswith("confirmed, not in listing") for violation in found)


def damage_one_object(spool: Path) -> str:
    """Change the last byte of an instance's record, and return its SOP Instance UID."""
    record = next(r for r in SpoolReader(spool).after({}) if r.kind is RecordKind.INSTANCE)
    for segment in spool.glob("*"):
        content = segment.read_bytes()
        if record.payload in content:
            end = content.index(record.payload) + len(record.payload)
            segment.write_bytes(content[: end - 1] + bytes([content[end - 1] ^ 1]) + content[end:])
    return record.meta["sop_instance_uid"]
