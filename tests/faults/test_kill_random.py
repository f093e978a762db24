"""Kill -9 at random moments: a part of what `make faults` does; and what is damaged is seen on what that left."""

from pathlib import Path
from threading import Event

import pytest

from agent.core.ports import RecordKind
from agent.spool import SpoolReader
from tests.faults.evidence import Kind, Violation
from tests.faults.installation import Installation, patient
from tests.faults.invariants import check
from tests.faults.news import merge, tell_until_taken
from tests.faults.random_kills import RandomKills
from tests.faults.senders import Ledger, mammograms, send

RANDOM = 5
BACKLOG = 6  # versions and studies that wait, of which each costs seconds
SEED = 20260101


@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
def test_random_kills_under_load_break_no_promise(place: Installation) -> None:
    """Tree and single processes die while three modalities send; all is there once, and the agent stops in order."""
    kills: list[bool] = []
    broken: list[Violation] = []

    def tell(what: str, violations: list[Violation], *, is_kill: bool) -> None:
        kills.append(is_kill)
        broken.extend(violations)

    seen = RandomKills(place, SEED, backlog=BACKLOG).run(RANDOM, tell)
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
