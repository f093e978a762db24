"""The proof of arrival: read-back and storage commitment, with a PACS in memory."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from agent.core.case import CaseEvent, CaseState
from agent.core.instance import SpoolRef
from agent.core.ports import OutboxStatus, Record, RecordKind, Settled
from agent.deliver import confirming
from agent.deliver.commitment import apply_event_report
from agent.deliver.confirming import ASKED, NOT_LISTED
from agent.deliver.resend import resend
from tests.delivery import DAY_S, Delivery
from tests.fakes.pacs import FakePacs

WAITING, SENT = OutboxStatus.WAITING, OutboxStatus.SENT
CONFIRMED, REFUSED = OutboxStatus.CONFIRMED, OutboxStatus.REFUSED


def event_report(d: Delivery, transaction: str, done: Sequence[str], failed: Sequence[str] = ()) -> None:
    """Apply a storage commitment report as the keeper would."""
    ds = Dataset()
    ds.TransactionUID = transaction
    for keyword, uids in (("ReferencedSOPSequence", done), ("FailedSOPSequence", failed)):
        items = []
        for uid in uids:
            item = Dataset()
            item.ReferencedSOPInstanceUID = uid
            items.append(item)
        setattr(ds, keyword, items)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, ds)
    apply_payload(d, buffer.getvalue())


def apply_payload(d: Delivery, payload: bytes) -> None:
    """Apply one EVENT_REPORT record."""
    meta = {"transfer_syntax_uid": "1.2.840.10008.1.2", "event_type_id": "1", "association_id": "run/1"}
    record = Record(SpoolRef(1, 1, 0), RecordKind.EVENT_REPORT, 1, d.clock(), meta, payload)
    with d.store.unit() as unit:
        apply_event_report(unit, record)


def asked(d: Delivery) -> str:
    """Return the only transaction asked for since the last call."""
    (transaction,) = d.pacs.transactions
    d.pacs.transactions.clear()
    return transaction


# read-back


def test_objects_that_are_listed_are_confirmed_and_the_case_done() -> None:
    """Sent, found, done: in one tick."""
    d = Delivery()
    case = d.case()
    assert d.courier.tick() == 8
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE
    assert d.pacs.calls == ["store"] + ["find"] * 4


def test_object_that_is_not_listed_is_looked_for_again_before_it_is_sent_again() -> None:
    """Missing once: it may still be on its way into the index. Missing twice: it is sent again, under its UID."""
    d = Delivery()
    case = d.case()
    lost = d.uids(case)[0]
    d.pacs.loses.add(lost)
    d.courier.tick()
    assert d.status(case) == [SENT, CONFIRMED, CONFIRMED, CONFIRMED]
    assert d.items(case)[0].error == NOT_LISTED
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.status(case)[0] is WAITING
    assert d.now(case).state is CaseState.DELIVERING
    d.pacs.loses.clear()
    for _ in range(4):
        d.clock.pass_s(10)
        d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    assert d.pacs.requests == [*d.uids(case), lost]


def test_late_listing_is_found_without_sending_again() -> None:
    """An archive that lists what it stored a little later is no reason to send twice."""
    d = Delivery()
    case = d.case()
    late = d.uids(case)[1]
    d.pacs.loses.add(late)
    d.courier.tick()
    with d.store.unit() as unit:
        d.pacs.kept[late] = unit.result_objects(case.id)[1].encoded
    d.clock.pass_s(10)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


def test_archive_that_never_lists_is_given_up() -> None:
    """Objects answered with success and never listed fail the case, with the reason, after their time."""
    d = Delivery(changes={"give_up_after_s": DAY_S})
    case = d.case(captures=0)
    d.pacs.loses.update(d.uids(case))
    for _ in range(2 * 24 * 60):
        d.courier.tick()
        d.clock.pass_s(60)
    assert d.now(case).state is CaseState.FAILED
    assert f"given up: {NOT_LISTED}" in d.now(case).reason
    assert len(d.pacs.requests) < 24 * 60, "each round waits longer than the one before"


def test_query_that_fails_leaves_the_object_sent() -> None:
    """C-FIND that is not offered confirms nothing and sends nothing again; what was found before stays confirmed."""
    d = Delivery(pacs=FakePacs(offers_find=False))
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [SENT] * 4
    assert d.pacs.calls == ["store", "find"]
    assert "does not offer C-FIND" in d.items(case)[0].error
    d.pacs.offers_find = True
    d.clock.pass_s(300)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


def test_query_that_fails_for_long_is_given_up() -> None:
    """Stored, but without proof until the end: a person should know."""
    d = Delivery(pacs=FakePacs(offers_find=False), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    assert "given up: stored, not confirmed" in d.now(case).reason


def test_destination_that_goes_down_before_the_query_is_left_alone() -> None:
    """The breaker counts queries as well."""
    d = Delivery()
    case = d.case()
    d.pacs.refuse_first = 0
    store = d.pacs.store

    def and_then_down(parts, **_):  # type: ignore[no-untyped-def]
        yield from store(parts)
        d.pacs.down = True

    d.pacs.store = and_then_down  # type: ignore[method-assign]
    for _ in range(5):
        d.courier.tick()
    assert d.pacs.associations == ["store", "find"]
    assert d.status(case) == [SENT] * 4


def test_kill_after_a_confirmation_looks_only_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is confirmed stays confirmed."""
    d = Delivery()
    case = d.case()

    class Killed(BaseException):
        pass

    def killing(name: str) -> None:
        assert name == "deliver.after_confirm"
        raise Killed

    monkeypatch.setattr(confirming, "crashpoint", killing)
    with pytest.raises(Killed):
        d.courier.tick()
    assert d.status(case) == [CONFIRMED, SENT, SENT, SENT]
    monkeypatch.setattr(confirming, "crashpoint", lambda name: None)
    d.restart()
    assert d.courier.tick() == 3
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.requests) == 4


def test_proof_no_longer_wanted_confirms_what_was_sent() -> None:
    """A site that switches to `confirm: none` is not left with objects that wait for a proof."""
    d = Delivery(pacs=FakePacs(offers_find=False))
    case = d.case()
    d.courier.tick()
    d.confirm = "none"
    d.restart()
    d.clock.pass_s(300)
    d.courier.tick()
    assert d.now(case).state is CaseState.DONE


# storage commitment


def test_commitment_is_asked_for_once_a_case() -> None:
    """One transaction names every object; until the report nothing is confirmed and nothing asked again."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    ((transaction, instances),) = d.pacs.transactions.items()
    assert transaction.startswith("2.25.")
    assert [uid for _, uid in instances] == d.uids(case)
    d.clock.pass_s(899)
    d.courier.tick()
    assert len(d.pacs.transactions) == 1
    assert d.status(case) == [SENT] * 4
    assert {i.error for i in d.items(case)} == {ASKED}


def test_report_confirms_and_ends_the_case() -> None:
    """Everything committed: done."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    event_report(d, asked(d), d.uids(case))
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE


def test_report_after_a_restart_is_matched() -> None:
    """The transaction is known to the state, not to the process."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    d.restart()
    event_report(d, asked(d), d.uids(case))
    assert d.now(case).state is CaseState.DONE


def test_report_that_is_quicker_than_the_response_counts() -> None:
    """The transaction is stored before it is asked for."""
    d = Delivery(confirm="commitment")
    case = d.case()
    request = d.pacs.request_commitment

    def report_first(transaction: str, instances: Sequence[tuple[str, str]], *_: object) -> None:
        event_report(d, transaction, [uid for _, uid in instances])
        request(transaction, instances)

    d.pacs.request_commitment = report_first  # type: ignore[method-assign]
    d.courier.tick()
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.DONE


def test_partial_report_sends_only_the_failures_again() -> None:
    """Failed objects are sent again, then asked for again in a transaction of their own."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    *done, failed = d.uids(case)
    event_report(d, asked(d), done, [failed])
    assert d.status(case) == [CONFIRMED, CONFIRMED, CONFIRMED, WAITING]
    d.courier.tick()
    assert d.pacs.requests == [*done, failed, failed]
    assert d.pacs.transactions == {}, "what failed before is asked for after its backoff"
    d.clock.pass_s(10)
    d.courier.tick()
    event_report(d, asked(d), [failed])
    assert d.now(case).state is CaseState.DONE


def test_lost_report_is_asked_for_again_in_a_new_transaction() -> None:
    """No report within the time: asked again, without sending again; the late first one counts as well."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    first = asked(d)
    d.clock.pass_s(900)
    d.courier.tick()
    second = asked(d)
    assert first != second
    assert len(d.pacs.requests) == 4
    event_report(d, first, d.uids(case))
    assert d.now(case).state is CaseState.DONE
    event_report(d, second, d.uids(case))
    assert d.now(case).state is CaseState.DONE


def test_reports_that_never_come_are_given_up() -> None:
    """Stored, but never committed: a person should know."""
    d = Delivery(confirm="commitment", pacs=FakePacs(offers_find=False), changes={"give_up_after_s": DAY_S})
    case = d.case()
    for _ in range(100):
        d.courier.tick()
        d.clock.pass_s(900)
    assert d.now(case).state is CaseState.FAILED
    assert "given up: stored, no storage commitment" in d.now(case).reason
    assert len(d.pacs.requests) == 4


def test_peer_without_commitment_proves_by_its_list() -> None:
    """C-FIND is the proof then, and each row says so."""
    d = Delivery(confirm="commitment", pacs=FakePacs(offers_commitment=False))
    case = d.case()
    assert d.courier.tick() == 8
    assert d.status(case) == [CONFIRMED] * 4
    assert {i.error for i in d.items(case)} == {"no storage commitment; the destination lists it"}
    assert d.now(case).state is CaseState.DONE


def test_peer_without_commitment_that_lost_an_object_is_found_out() -> None:
    """What is not listed twice is sent again, as with read-back."""
    d = Delivery(confirm="commitment", pacs=FakePacs(offers_commitment=False))
    case = d.case()
    lost = d.uids(case)[1]
    d.pacs.loses.add(lost)
    d.courier.tick()
    assert d.status(case) == [CONFIRMED, SENT, CONFIRMED, CONFIRMED]
    d.clock.pass_s(20)
    d.courier.tick()
    assert d.status(case)[1] is WAITING
    d.pacs.loses.clear()
    for _ in range(4):
        d.clock.pass_s(20)
        d.courier.tick()
    assert d.now(case).state is CaseState.DONE
    assert d.pacs.requests == [*d.uids(case), lost]


def test_peer_without_commitment_and_without_a_list_is_given_up() -> None:
    """Nothing proves it: asked at the longest delay, given up after the time, with both reasons."""
    pacs = FakePacs(offers_commitment=False, offers_find=False)
    d = Delivery(confirm="commitment", pacs=pacs, changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    assert d.status(case) == [SENT] * 4
    assert "no storage commitment; the fake PACS does not offer C-FIND" in d.items(case)[0].error
    assert d.items(case)[0].next_at == d.clock() + timedelta(seconds=300)
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    assert d.pacs.associations.count("commit") == 1


@pytest.mark.parametrize("payload", [b"", b"\x00" * 20])
def test_report_that_cannot_be_read_changes_nothing(payload: bytes) -> None:
    """It is noted, and the keeper goes on."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    apply_payload(d, payload)
    assert d.status(case) == [SENT] * 4


def test_report_of_another_transaction_changes_nothing() -> None:
    """Nobody confirms what was not asked for."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    event_report(d, "2.25.4711", d.uids(case))
    assert d.status(case) == [SENT] * 4


def test_resend_during_the_request_is_not_undone() -> None:
    """A person who resends while commitment is about to be asked for wins."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    d.clock.pass_s(900)
    items = d.items(case)
    resend(d.store, case.id, d.clock(), d.archives)
    d.pacs.transactions.clear()
    confirming.confirm(d.courier.destinations["pacs"]._route, items)
    assert d.status(case) == [WAITING] * 4
    assert d.pacs.transactions == {}


def test_report_for_a_held_case_confirms_without_ending_it() -> None:
    """The rows tell the truth; the case stays with the person."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    with d.store.unit() as unit:
        unit.apply(unit.case(case.id), CaseEvent.CONFLICT_FOUND, d.clock())
    event_report(d, asked(d), d.uids(case))
    assert d.status(case) == [CONFIRMED] * 4
    assert d.now(case).state is CaseState.HELD


def test_reports_that_never_come_are_replaced_by_the_list() -> None:
    """After three askings the destination's own list is the proof, and each row says so."""
    d = Delivery(confirm="commitment")
    case = d.case()
    for _ in range(3):
        d.courier.tick()
        assert d.status(case) == [SENT] * 4
        d.clock.pass_s(900)
    d.courier.tick()
    assert {i.error for i in d.items(case)} == {"no storage commitment report came; the destination lists it"}
    assert d.now(case).state is CaseState.DONE
    assert len(d.pacs.transactions) == 3


def test_commitment_is_asked_for_many_cases_at_once_and_again_for_each() -> None:
    """One transaction for all that were stored together; one for each case where no report came."""
    d = Delivery(confirm="commitment")
    cases = [d.case(n) for n in (1, 2, 3)]
    d.courier.tick()
    (instances,) = d.pacs.transactions.values()
    assert [uid for _, uid in instances] == [uid for case in cases for uid in d.uids(case)]
    first = asked(d)
    d.clock.pass_s(900)
    d.courier.tick()
    assert [len(one) for one in d.pacs.transactions.values()] == [4] * 3
    event_report(d, first, [uid for case in cases for uid in d.uids(case)])
    assert {d.now(case).state for case in cases} == {CaseState.DONE}


def test_a_transaction_that_counts_as_a_duplicate_is_not_repeated_in_haste() -> None:
    """Failure Reason 0131 at once for each: asked again when the time for a report is over."""
    d = Delivery(confirm="commitment")
    case = d.case()
    failed = dict.fromkeys(d.uids(case), Settled(SENT, "duplicate transaction UID"))
    for _ in range(240):
        known = set(d.pacs.transactions)
        d.courier.tick()
        for transaction in set(d.pacs.transactions) - known:
            with d.store.unit() as unit:
                unit.committed(transaction, [], failed, d.clock())
        d.clock.pass_s(10)
    assert 2 <= len(d.pacs.transactions) <= 3
    assert d.items(case)[0].error == "duplicate transaction UID"


def test_an_old_report_proves_nothing_of_what_is_sent_again() -> None:
    """The archive lost it, a person resends it, and the report of before is repeated."""
    d = Delivery(confirm="commitment")
    case = d.case()
    d.courier.tick()
    answered = asked(d)
    event_report(d, answered, d.uids(case))
    resend(d.store, case.id, d.clock(), d.archives)
    event_report(d, answered, d.uids(case))
    assert d.status(case) == [WAITING] * 4
    d.courier.tick()
    unanswered = asked(d)
    resend(d.store, case.id, d.clock(), d.archives)
    event_report(d, unanswered, d.uids(case))
    assert d.status(case) == [WAITING] * 4


def test_a_proof_that_comes_after_the_end_counts() -> None:
    """Given up, and there after all: the case is done."""
    d = Delivery(confirm="commitment", pacs=FakePacs(offers_find=False), changes={"give_up_after_s": DAY_S})
    case = d.case()
    d.courier.tick()
    transaction = asked(d)
    d.clock.pass_s(DAY_S)
    d.courier.tick()
    assert d.now(case).state is CaseState.FAILED
    event_report(d, transaction, d.uids(case)[:1])
    assert d.now(case).state is CaseState.FAILED
    event_report(d, transaction, d.uids(case))
    assert (d.now(case).state, d.status(case)) == (CaseState.DONE, [CONFIRMED] * 4)
