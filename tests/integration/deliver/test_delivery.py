"""A result from the outbox to proven arrival: SQLite, the real client, real archives."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from agent.core.archive import Archive
from agent.core.case import CaseState
from agent.core.instance import SpoolRef
from agent.core.ports import OutboxStatus, Record, RecordKind, Store
from agent.deliver.commitment import apply_event_report
from agent.deliver.courier import Courier
from agent.deliver.settings import DestinationSettings
from agent.receive import Peer, Receiver
from agent.spool import SpoolReader, SpoolWriter
from agent.state import SqlStore
from agent.state.migration import migrate
from demo.archive import Archive as OwnArchive
from demo.archive import Switches
from tests.archives import AGENT, Subject, client, real_subject, report_listener
from tests.delivery import delivering
from tests.fakes.objects import COMPREHENSIVE_3D_SR, dataset_bytes, one_result
from tests.receivers import SETTINGS
from tests.scripted_scp import Conversation, ScriptedScp

__all__ = ["real_subject"]


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh SQLite state."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url, new_uuid=lambda: UUID(int=7))
    with closing(SqlStore(url)) as opened:
        yield opened


def courier(store: Store, archive: Archive, confirm: str) -> Courier:
    """Return a courier with one destination that is tried again at once."""
    served = DestinationSettings(confirm, first_s=0.001, max_s=0.002, give_up_after_s=3600)
    return Courier(store, {"pacs": archive}, {"pacs": served}, now, random.random)


def state(store: Store, case_id: int) -> CaseState:
    """Return where a case stands."""
    with store.unit() as unit:
        return unit.case(case_id).state


def test_result_is_read_back_from_a_real_archive(store: Store, real_subject: Subject) -> None:
    """Four objects stored, found and done, with the bytes of the result."""
    objects = one_result(5000, study="2.25.15000")
    case = delivering(store, {"pacs": objects}, at=now())
    assert courier(store, real_subject.archive, "read_back").tick() == 8
    assert state(store, case.id) is CaseState.DONE
    for one in objects:
        assert dataset_bytes(real_subject.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)


def test_result_is_committed_by_a_real_archive(store: Store, real_subject: Subject) -> None:
    """The report comes over an association of the archive's own and ends the case."""
    objects = one_result(6000, study="2.25.16000")
    case = delivering(store, {"pacs": objects}, at=now())
    with report_listener(real_subject.listener_port) as reports:
        courier(store, real_subject.archive, "commitment").tick()
        payload, syntax = reports.next()
    assert state(store, case.id) is CaseState.DELIVERING
    record = Record(SpoolRef(1, 1, 0), RecordKind.EVENT_REPORT, 1, now(), {"transfer_syntax_uid": syntax}, payload)
    with store.unit() as unit:
        apply_event_report(unit, record)
    assert state(store, case.id) is CaseState.DONE


def test_archive_that_lacks_an_object_says_so_in_its_report(store: Store, real_subject: Subject) -> None:
    """What is asked for and was never stored is reported as failed."""
    there, missing = one_result(7000, study="2.25.17000")[:2]
    list(real_subject.archive.store([there.encoded]))
    case = delivering(store, {"pacs": (there, missing)}, at=now())
    with store.unit() as unit:
        items = unit.outbox_of(case.id)
        for item in items:
            unit.settle(item, OutboxStatus.SENT, now())
        unit.expect_commitment("2.25.170001", items, now())
    with report_listener(real_subject.listener_port) as reports:
        wanted = [(i.sop_class_uid, i.sop_instance_uid) for i in items]
        real_subject.archive.request_commitment("2.25.170001", wanted)
        payload, syntax = reports.next()
    record = Record(SpoolRef(1, 1, 0), RecordKind.EVENT_REPORT, 1, now(), {"transfer_syntax_uid": syntax}, payload)
    with store.unit() as unit:
        apply_event_report(unit, record)
        assert [i.status for i in unit.outbox_of(case.id)] == [OutboxStatus.CONFIRMED, OutboxStatus.WAITING]


def test_result_survives_an_archive_that_dies_in_between(store: Store, tmp_path: Path) -> None:
    """Two stored, then dead; when it is back the other two follow, and nothing is stored twice."""
    objects = one_result(1)
    case = delivering(store, {"pacs": objects}, at=now())
    with OwnArchive("ARCHIVE", tmp_path / "files", switches=Switches(die_after=2)) as archive:
        carrier = courier(store, client("ARCHIVE", archive.port), "read_back")
        for _ in range(3):
            carrier.tick()
        assert len(archive.instances()) == 2
        archive.switches.die_after = None
        while state(store, case.id) is CaseState.DELIVERING:
            carrier.tick()
        assert state(store, case.id) is CaseState.DONE
        assert sorted(archive.stores) == [o.sop_instance_uid for o in objects]


def test_report_that_is_dropped_leaves_the_case_on_its_way(store: Store, tmp_path: Path) -> None:
    """An archive that promises and never reports: stored, not done."""
    case = delivering(store, {"pacs": one_result(1)}, at=now())
    switches = Switches(drop_commitment=True, status={COMPREHENSIVE_3D_SR: 0xB007})
    with OwnArchive("ARCHIVE", tmp_path / "files", peers={AGENT: ("127.0.0.1", 1)}, switches=switches) as archive:
        courier(store, client("ARCHIVE", archive.port), "commitment").tick()
        assert len(archive.instances()) == 4
    assert state(store, case.id) is CaseState.DELIVERING


def test_report_goes_through_receiver_and_spool(store: Store, real_subject: Subject, tmp_path: Path) -> None:
    """The archive reports to our own receiver; the record in the spool ends the case."""
    objects = one_result(8000, study="2.25.18000")
    case = delivering(store, {"pacs": objects}, at=now())
    spool = SpoolWriter(
        tmp_path / "spool", limit_bytes=1 << 26, refuse_below_free_bytes=0, segment_bytes=1 << 20, now=now
    )
    peers = (Peer("ARCHIVE", "127.0.0.1", frozenset({"commit"})), Peer("ORTHANC", "127.0.0.1", frozenset({"commit"})))
    receiver = Receiver(replace(SETTINGS, ae_title=AGENT, port=real_subject.listener_port, peers=peers), spool)
    receiver.start()
    try:
        courier(store, real_subject.archive, "commitment").tick()
        record = report_in(tmp_path / "spool")
    finally:
        receiver.stop(5)
        spool.close()
    with store.unit() as unit:
        apply_event_report(unit, record)
    assert state(store, case.id) is CaseState.DONE


def report_in(spool: Path) -> Record:
    """Wait for an event report in a spool."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for record in SpoolReader(spool).after({}):
            if record.kind is RecordKind.EVENT_REPORT:
                return record
        time.sleep(0.02)
    raise AssertionError("no report came")


def test_connection_that_is_lost_with_three_under_way_counts_nothing_twice(store: Store) -> None:
    """Of five under way two are answered before the peer is gone: those stay sent, three leave again, once."""
    objects = one_result(1, captures=5)
    case = delivering(store, {"pacs": objects}, at=now())
    taken: list[str] = []

    def two_of_five(talk: Conversation) -> None:
        held = [talk.take() for _ in range(5)]
        taken.extend(one.sop_instance_uid for one in held)
        talk.answer(held[4])
        talk.answer(held[1])
        talk.drop()

    def the_rest(talk: Conversation) -> None:
        while True:
            taken.append((request := talk.take()).sop_instance_uid)
            talk.answer(request)

    with ScriptedScp((two_of_five, the_rest), window=5) as scp:
        carrier = courier(store, client("SCRIPTED", scp.port), "none")
        moved = [carrier.tick()]
        with store.unit() as unit:
            sent = [i.status for i in unit.outbox_of(case.id)]
        while state(store, case.id) is CaseState.DELIVERING:
            moved.append(carrier.tick())
    uids = [o.sop_instance_uid for o in objects]
    assert sum(moved) == 7
    assert moved[0] == 2
    assert [uid for uid, one in zip(uids, sent, strict=True) if one is OutboxStatus.CONFIRMED] == [uids[1], uids[4]]
    assert taken[5:] == [*uids[5:], uids[0], uids[2], uids[3]], "what never left goes first"


def test_cases_of_a_tick_go_over_one_association(store: Store, tmp_path: Path) -> None:
    """Three cases, stored and read back: the archive sees one association."""
    cases = [delivering(store, {"pacs": one_result(100 * n)}, n, at=now()) for n in (1, 2, 3)]
    with OwnArchive("ARCHIVE", tmp_path / "files") as archive:
        assert courier(store, client("ARCHIVE", archive.port), "read_back").tick() == 24
        assert archive.associations == 1
    assert {state(store, case.id) for case in cases} == {CaseState.DONE}
