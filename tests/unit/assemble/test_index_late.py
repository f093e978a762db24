"""What the disk did not give back for longer than it was tried is taken in when it does, as anything else, and once."""

import pytest

from agent.assemble.attempts import MOST_FAILURES
from agent.assemble.owed import Owed
from agent.core.adt import PatientNews, news_to_json
from agent.core.case import CaseEvent
from agent.core.errors import StaleCase, Transient
from agent.core.instance import End, SpoolRef
from agent.core.patient import PatientKey
from agent.core.ports import Record, RecordKind
from agent.core.retention import OwedCopy
from agent.dicom.part10 import to_part10
from agent.record.quarantine import Quarantine
from tests.fakes.instances import encode, mammogram, meta_of
from tests.fakes.spool import NOW
from tests.indexing import ALICE, House

OLD = PatientKey("PHANTOM", "OLD-1")


def _owed(house: House) -> Owed:
    return Owed(house.spool, house.store, to_part10, Quarantine(house.folder, 1 << 30), house.indexer.take_late)


def _are_owed(house: House) -> list[OwedCopy]:
    with house.store.unit() as unit:
        return list(unit.owed_copies())


def _outage(house: House, *refs: SpoolRef) -> None:
    """Let records be unreadable for longer than they are tried, and then no more."""
    house.spool.bad.update(refs)
    for _ in range(MOST_FAILURES * len(refs)):
        house.indexer.tick()
    assert [one.ref for one in _are_owed(house)] == list(refs)
    assert _owed(house).tick() == 0
    house.spool.bad.clear()


def _image(house: House, name: str, cut: int | None = None) -> SpoolRef:
    ds = mammogram(name)
    return house.spool.add(RecordKind.INSTANCE, meta_of(ds), encode(ds)[:cut])


def test_an_image_joins_its_case(house: House) -> None:
    """It is no longer quarantined, the case has it once, and the cursor stays where it was."""
    late = _image(house, "late")
    other = _image(house, "other")
    _outage(house, late)
    assert house.ends() == [End.QUARANTINED, End.COLLECTED]
    assert [_owed(house).tick(), _owed(house).tick(), house.indexer.tick()] == [1, 0, 0]
    assert house.ends() == [End.COLLECTED] * 2
    (case,) = house.cases()
    assert sorted(one.ref for one in house.stored(case)) == [late, other]
    with house.store.unit() as unit:
        assert unit.tally(case.id) == {CaseEvent.INSTANCE_STORED: 2}
        assert unit.cursor() == {1: other}
    assert not list(house.folder.glob("*.dcm"))


def test_a_message_is_applied(house: House) -> None:
    """A merge that could not be read moves the case when it can."""
    house.send(mammogram("1", PatientID=OLD.patient_id))
    house.indexer.tick()
    news = news_to_json([PatientNews("M1", "A40", NOW, ALICE, OLD)])
    message = house.spool.add(RecordKind.HL7, {"news": news}, b"MSH|")
    _outage(house, message)
    assert set(house.heads()) == {OLD.patient_id}
    assert [_owed(house).tick(), _owed(house).tick()] == [1, 0]
    assert set(house.heads()) == {ALICE.patient_id}
    assert house.ends() == [End.COLLECTED]


def test_a_commitment_report_is_applied_once(house: House) -> None:
    """Also where that failed at first, with all that belongs to it: it is owed as long as it is not applied."""
    report = house.spool.add(RecordKind.EVENT_REPORT, {"event_type_id": "1"}, b"dataset")
    _outage(house, report)
    house.trouble = [Transient("the database is away")]
    assert _owed(house).tick() == 0
    assert (house.events, [one.ref for one in _are_owed(house)], len(house.arrivals())) == ([], [report], 1)
    assert [_owed(house).tick(), _owed(house).tick()] == [1, 0]
    assert (house.events, _are_owed(house), house.arrivals()) == (["1"], [], [])


def test_the_beginning_of_an_association_is_not_told_late(house: House) -> None:
    """Its end may have been told before, by a start of the receiver: nobody would tell it again."""
    house.send(mammogram("1"))
    opened = house.spool.add(
        RecordKind.ASSOCIATION_OPENED, {"association_id": "run/1", "calling_ae_title": "MAMMO1"}, b""
    )
    _outage(house, opened)
    assert _owed(house).tick() == 1
    with house.store.unit() as unit:
        assert not unit.has_open_association(house.cases()[0].id)


def test_what_cannot_be_used_is_copied_then(house: House) -> None:
    """It has the reason of what is wrong with it."""
    late = _image(house, "late", cut=-3)
    _outage(house, late)
    assert _owed(house).tick() == 1
    assert (house.ends(), _are_owed(house)) == ([End.QUARANTINED], [])
    assert house.arrivals()[0].reason.startswith("truncated: ")
    assert len(list(house.folder.glob("*.dcm"))) == 1


def test_a_copy_that_cannot_be_made_then_is_owed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was judged, so the copy alone is to be made, once there is room."""
    late = _image(house, "late", cut=-3)
    _outage(house, late)

    def full(*_: object, **__: object) -> None:
        raise Transient("the quarantine folder cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("agent.record.quarantine.Quarantine.keep", full)
        assert _owed(house).tick() == 1
        (copy,) = _are_owed(house)
        assert copy == OwedCopy(late, house.arrivals()[0].reason, house.clock())
    assert _owed(house).tick() == 1
    assert (_are_owed(house), len(list(house.folder.glob("*.dcm")))) == ([], 1)


def test_what_came_back_damaged_is_copied_as_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checksum fails, so nobody judges it: a person may look at it."""
    late = _image(house, "late")
    _outage(house, late)
    monkeypatch.setattr(house.spool, "again", lambda _: None)
    assert _owed(house).tick() == 1
    assert (house.ends(), _are_owed(house)) == ([End.QUARANTINED], [])
    assert len(list(house.folder.glob("*.dcm"))) == 1


def test_one_that_is_still_away_keeps_no_other_waiting(house: House) -> None:
    """The others are taken in."""
    late = [_image(house, name) for name in ("1", "2")]
    _outage(house, *late)
    house.spool.bad.add(late[0])
    assert _owed(house).tick() == 1
    assert house.ends() == [End.QUARANTINED, End.COLLECTED]
    assert [one.ref for one in _are_owed(house)] == late[:1]


def test_a_claim_meanwhile_puts_it_off(house: House) -> None:
    """Nothing was committed; the next tick takes it in."""
    late = [_image(house, name) for name in ("1", "2")]
    _outage(house, *late)
    right, failures = house.indexer.take_late, [StaleCase("claimed")]

    def claimed(record: Record) -> None:
        if failures:
            raise failures.pop()
        right(record)

    owed = Owed(house.spool, house.store, to_part10, Quarantine(house.folder, 1 << 30), claimed)
    assert [owed.tick(), owed.tick()] == [1, 1]
    assert house.ends() == [End.COLLECTED] * 2


def test_what_somebody_settled_meanwhile_is_not_taken_in(house: House) -> None:
    """A person gave it up after it was read."""
    late = _image(house, "late")
    _outage(house, late)
    with house.store.unit() as unit:
        unit.settle_copy(late)
    house.indexer.take_late(house.spool.read(late))
    assert (house.ends(), house.cases()) == ([End.QUARANTINED], [])


def test_one_that_was_sent_again_meanwhile_is_a_duplicate(house: House) -> None:
    """The case has the image once."""
    late = _image(house, "late")
    _outage(house, late)
    _image(house, "late")
    house.indexer.tick()
    assert _owed(house).tick() == 1
    assert house.ends() == [End.DUPLICATE, End.COLLECTED]
    assert len(house.uids(house.cases()[0])) == 1
