"""Storage commitment in all the ways in which archives report, on a store in memory and on SQLite."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from agent.core.case import Case, CaseState
from agent.core.instance import SpoolRef
from agent.core.ports import OutboxStatus, Record, RecordKind, Store
from agent.core.result import Kind
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from agent.deliver.commitment import apply_event_report
from agent.deliver.courier import Courier
from agent.deliver.verdict import NOT_OFFERED
from agent.dimse.client import PacsClient
from agent.state import SqlStore
from tests.archives import QUICK
from tests.delivery import Delivery, delivering, settings
from tests.fakes.objects import SOP_CLASSES, one_result, part10, result_object
from tests.fakes.store import FakeStore

WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED, SPARE = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED, OutboxStatus.SPARE
IMPLICIT = "1.2.840.10008.1.2"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


@pytest.fixture(params=["fake", "sqlite"])
def d(request: pytest.FixtureRequest) -> Delivery:
    """A courier that asks for commitment."""
    if request.param == "fake":
        return Delivery(confirm="commitment", store=FakeStore())
    return Delivery(confirm="commitment", store=request.getfixturevalue("sqlite_store"))


@pytest.fixture
def sqlite_store(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A fresh store on SQLite."""
    migrated = request.getfixturevalue("migrated_sqlite").read_bytes()
    path = tmp_path_factory.mktemp("state") / "state.db"
    path.write_bytes(migrated)
    store = SqlStore(f"sqlite:///{path}")
    yield store
    store.close()


def payload(transaction: str, done: Sequence[str], failed: Mapping[str, int | None]) -> bytes:
    """Return the event information of a report."""
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = [reference(uid) for uid in done]
    ds.FailedSOPSequence = [reference(uid, reason) for uid, reason in failed.items()]
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, ds)
    return buffer.getvalue()


def reference(uid: str, reason: int | None = None) -> Dataset:
    """Return one item of a report."""
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid
    if reason is not None:
        item.FailureReason = reason
    return item


def report(
    d: Delivery, transaction: str, done: Sequence[str] = (), failed: Mapping[str, int | None] | None = None
) -> None:
    """Have the keeper apply a report that came on an association of the archive's."""
    meta = {"transfer_syntax_uid": IMPLICIT}
    record = Record(
        SpoolRef(1, 1, 0), RecordKind.EVENT_REPORT, 1, d.clock(), meta, payload(transaction, done, failed or {})
    )
    with d.store.unit() as unit:
        apply_event_report(unit, record)


def asked(d: Delivery) -> str:
    """Return the newest transaction."""
    return list(d.pacs.transactions)[-1]


def stored(d: Delivery) -> tuple[Case, str]:
    """Return a case that is stored and asked for, and the transaction."""
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [SENT] * 4
    return case, asked(d)


def test_partial_report_leaves_the_rest_to_the_next_one(d: Delivery) -> None:
    """Two of four, then the other two under the same transaction: done; nothing was sent again."""
    case, transaction = stored(d)
    first, second = d.uids(case)[:2], d.uids(case)[2:]
    report(d, transaction, first)
    assert d.status(case) == [CONFIRMED, CONFIRMED, SENT, SENT]
    assert d.now(case).state is CaseState.DELIVERING
    report(d, transaction, second)
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


def test_rest_of_a_partial_report_that_never_comes_is_asked_for_again(d: Delivery) -> None:
    """Only the rest, in a transaction of its own."""
    case, transaction = stored(d)
    report(d, transaction, d.uids(case)[:3])
    d.clock.pass_s(900)
    d.courier.tick()
    assert asked(d) != transaction
    assert [uid for _, uid in d.pacs.transactions[asked(d)]] == d.uids(case)[3:]
    report(d, asked(d), d.uids(case)[3:])
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


@pytest.mark.parametrize("reason", [0x0110, 0x0112, 0x0213, 0x0999, None])
def test_object_that_is_not_kept_is_sent_again(d: Delivery, reason: int | None) -> None:
    """The row says why; the others are proven meanwhile."""
    case, transaction = stored(d)
    *kept, lost = d.uids(case)
    report(d, transaction, kept, {lost: reason})
    assert d.status(case) == [CONFIRMED, CONFIRMED, CONFIRMED, WAITING]
    assert ("no reason given" if reason is None else f"0x{reason:04X}, ") in d.items(case)[3].error
    d.courier.tick()
    assert d.pacs.requests == [*kept, lost, lost]


def test_failure_that_is_reported_twice_sends_once(d: Delivery) -> None:
    """An archive that got no answer repeats its report, after the object went out again."""
    case, transaction = stored(d)
    *kept, lost = d.uids(case)
    report(d, transaction, kept, {lost: 0x0112})
    d.courier.tick()
    report(d, transaction, kept, {lost: 0x0112})
    assert d.status(case)[3] is SENT
    d.clock.pass_s(10)
    d.courier.tick()
    report(d, asked(d), [lost])
    report(d, asked(d), [lost])
    assert d.now(case).state is CaseState.DONE
    assert d.pacs.requests.count(lost) == 2


def test_contradictory_reports_end_with_the_object_there(d: Delivery) -> None:
    """First kept, then not: it was proven. First not, then kept: the first word counts, and it is sent again."""
    case, transaction = stored(d)
    one, two, *rest = d.uids(case)
    report(d, transaction, [one], {two: 0x0112})
    report(d, transaction, [two], {one: 0x0112})
    assert d.status(case) == [CONFIRMED, WAITING, SENT, SENT]
    report(d, transaction, rest)
    d.pacs.transactions.clear()
    d.courier.tick()
    d.clock.pass_s(10)
    d.courier.tick()
    report(d, asked(d), [two])
    assert d.now(case).state is CaseState.DONE
    assert d.pacs.requests[4:] == [two]


def test_report_that_contradicts_itself_is_a_failure(d: Delivery) -> None:
    """Kept and not kept at once proves nothing."""
    case, transaction = stored(d)
    uid = d.uids(case)[0]
    report(d, transaction, d.uids(case), {uid: 0x0110})
    assert d.status(case) == [WAITING, CONFIRMED, CONFIRMED, CONFIRMED]


def test_duplicate_transaction_is_asked_for_under_a_new_one(d: Delivery) -> None:
    """Nothing is wrong with the objects: they are not sent again, and not asked for before the time for a report."""
    case, transaction = stored(d)
    report(d, transaction, (), dict.fromkeys(d.uids(case), 0x0131))
    assert d.status(case) == [SENT] * 4
    d.pacs.transactions.clear()
    d.clock.pass_s(899)
    d.courier.tick()
    assert d.pacs.transactions == {}
    d.clock.pass_s(1)
    d.courier.tick()
    assert asked(d) != transaction
    report(d, asked(d), d.uids(case))
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


def test_class_instance_conflict_is_for_a_person(d: Delivery) -> None:
    """The archive holds something else under this UID: sending again would not help."""
    case, transaction = stored(d)
    *kept, other = d.uids(case)
    report(d, transaction, kept, {other: 0x0119})
    assert d.status(case)[3] is REFUSED
    assert d.now(case).state is CaseState.FAILED
    assert "0x0119, class/instance conflict" in d.now(case).reason


def test_class_that_the_archive_does_not_commit_to_brings_the_reserve(d: Delivery) -> None:
    """As one that it does not accept."""
    preferred, text = result_object(Kind.SR, 100), result_object(Kind.TEXT_SR, 101)
    reserve = replace(
        result_object(Kind.SR, 150),
        role="sr:L:comprehensive",
        sop_class_uid=COMPREHENSIVE_SR,
        instead_of=preferred.sop_instance_uid,
        encoded=part10(COMPREHENSIVE_SR, "2.25.300150"),
    )
    case = delivering(d.store, {"pacs": (preferred, reserve, text)}, at=d.clock())
    d.courier.tick()
    report(d, asked(d), [text.sop_instance_uid], {preferred.sop_instance_uid: 0x0122})
    assert d.status(case) == [REFUSED, WAITING, CONFIRMED]
    assert d.now(case).state is CaseState.DELIVERING
    d.courier.tick()
    report(d, asked(d), [reserve.sop_instance_uid])
    assert d.now(case).state is CaseState.DONE
    assert d.now(case).reason == f"pacs sr:100: {NOT_OFFERED}, Comprehensive SR sent instead"


def test_class_that_the_archive_does_not_commit_to_without_reserve(d: Delivery) -> None:
    """The rest is proven: recorded, and done."""
    case, transaction = stored(d)
    first, *rest = d.uids(case)
    report(d, transaction, rest, {first: 0x0122})
    assert d.status(case) == [REFUSED, CONFIRMED, CONFIRMED, CONFIRMED]
    assert (d.now(case).state, d.now(case).reason) == (CaseState.DONE, f"pacs sr:100: {NOT_OFFERED}")


def test_report_of_an_unknown_transaction_changes_nothing(d: Delivery) -> None:
    """However much it claims."""
    case, _ = stored(d)
    report(d, "2.25.4711", d.uids(case))
    report(d, "2.25.4712", (), dict.fromkeys(d.uids(case), 0x0112))
    assert d.status(case) == [SENT] * 4


def test_report_after_a_restart_counts(d: Delivery) -> None:
    """The transaction is in the database."""
    case, transaction = stored(d)
    d.restart()
    report(d, transaction, d.uids(case))
    assert d.now(case).state is CaseState.DONE


def test_late_report_of_the_first_of_two_transactions_counts(d: Delivery) -> None:
    """What was asked for again meanwhile is proven; the second report changes nothing."""
    case, first = stored(d)
    d.clock.pass_s(900)
    d.courier.tick()
    second = asked(d)
    assert second != first
    report(d, first, d.uids(case))
    assert d.now(case).state is CaseState.DONE
    report(d, second, (), dict.fromkeys(d.uids(case), 0x0112))
    assert d.status(case) == [CONFIRMED] * 4


def test_report_before_the_response_on_the_same_association(d: Delivery) -> None:
    """The client hands it over while it still waits for the response: proven when the tick ends."""
    request = d.pacs.request_commitment

    def reports_first(transaction, instances, on_report):  # type: ignore[no-untyped-def]
        on_report(payload(transaction, [uid for _, uid in instances], {}), IMPLICIT)
        request(transaction, instances)

    d.pacs.request_commitment = reports_first  # type: ignore[method-assign]
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE


# with a real client


@contextmanager
def reporting_archive(*, before: bool) -> Iterator[int]:
    """Serve an archive that reports on the association on which it is asked, before or after its response."""

    def on_action(event: evt.Event) -> tuple[int, None]:
        ds = Dataset()
        ds.TransactionUID = event.action_information.TransactionUID
        ds.ReferencedSOPSequence = event.action_information.ReferencedSOPSequence
        waiting.append((event.assoc, ds))
        if before:
            tell()
        return 0x0000, None

    def on_response(event: evt.Event) -> None:
        if waiting and type(event.message).__name__ == "N_ACTION_RSP":
            pool.submit(tell)

    def tell() -> None:
        association, ds = waiting.pop()
        association.send_n_event_report(ds, 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)

    waiting = []  # type: ignore[var-annotated]
    ae = AE(ae_title="ARCHIVE")
    ae.supported_contexts = [build_context(uid) for uid in (STORAGE_COMMITMENT, *SOP_CLASSES.values())]
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_N_ACTION, on_action),
        (evt.EVT_DIMSE_SENT, on_response),
        (evt.EVT_C_STORE, lambda event: 0x0000),
    ]
    with ThreadPoolExecutor(1) as pool:
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize("before", [True, False], ids=["before the response", "after it"])
def test_archive_that_reports_on_the_same_association(sqlite_store: Store, before: bool) -> None:
    """One tick stores, asks, is told, and ends the case."""
    d = Delivery(store=sqlite_store)
    case = delivering(sqlite_store, {"pacs": one_result(1)}, at=d.clock())
    with reporting_archive(before=before) as port:
        client = PacsClient("SENTINODE", "ARCHIVE", "127.0.0.1", port, timeouts=QUICK)
        courier = Courier(sqlite_store, {"pacs": client}, {"pacs": settings("commitment")}, d.clock, d.random)
        courier.tick()
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE
