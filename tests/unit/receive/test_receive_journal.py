"""The order of the receiver's own records, on a disk that comes and goes."""

from collections.abc import Mapping
from uuid import UUID

import pytest

from agent.core.errors import Transient
from agent.core.instance import SpoolRef
from agent.core.ports import RecordKind
from agent.receive.journal import Journal
from tests.fakes.drafts import FakeDraft
from tests.fakes.spool import FakeSpool

RUN = UUID(int=7)


class _Spool:
    """A writing side in memory that can be full."""

    def __init__(self) -> None:
        self.source = FakeSpool()
        self.is_full = False
        self.open_channels = 0
        self.tried = 0

    def channel(self) -> "_Spool":
        self.open_channels += 1
        return self

    def append(self, kind: RecordKind, meta: Mapping[str, str], payload: bytes) -> SpoolRef:
        self.tried += 1
        if self.is_full:
            raise Transient("full")
        return self.source.add(kind, meta, payload)

    def begin(self, kind: RecordKind, meta: Mapping[str, str]) -> FakeDraft:
        return FakeDraft(self, kind, meta)

    def check(self, call: str) -> None:
        pass

    def close(self) -> None:
        self.open_channels -= 1

    @property
    def kinds(self) -> list[str]:
        return [f"{record.kind}:{record.meta.get('association_id', '')[-1:]}" for record in self.source.after({})]


def test_associations_are_numbered_within_the_run() -> None:
    """Their ids are unique over all runs."""
    journal = Journal(_Spool(), RUN)
    assert [journal.association().association_id for _ in range(2)] == [f"{RUN}/1", f"{RUN}/2"]


def test_the_start_comes_before_everything_of_the_run() -> None:
    """Written late on a full disk, it still is the first, and the only one."""
    spool = _Spool()
    journal = Journal(spool, RUN)
    spool.is_full = True
    with pytest.raises(Transient):
        journal.start()
    log = journal.association()
    with pytest.raises(Transient):
        log.open({})
    with pytest.raises(Transient):
        log.begin({})
    spool.is_full = False
    log.begin({}).commit()
    journal.start()
    log.report({}, b"")
    log.close()
    assert spool.kinds == [
        "receiver_started:",
        "association_opened:1",
        "instance:1",
        "event_report:1",
        "association_closed:1",
    ]
    assert spool.open_channels == 0


def test_an_hl7_message_comes_after_the_start() -> None:
    """Over a channel of its own, which it gives back."""
    spool = _Spool()
    Journal(spool, RUN).message({"control_id": "1"}, b"MSH")
    assert spool.kinds == ["receiver_started:", "hl7:"]
    assert [record.payload for record in spool.source.after({})] == [b"", b"MSH"]
    assert spool.open_channels == 0


def test_an_association_that_was_never_opened_is_never_closed() -> None:
    """Neither a rejected one nor one whose opening could not be recorded."""
    spool = _Spool()
    journal = Journal(spool, RUN)
    journal.association().close()
    spool.is_full = True
    log = journal.association()
    with pytest.raises(Transient):
        log.open({})
    spool.is_full = False
    log.close()
    journal.catch_up()
    assert spool.kinds == []
    assert spool.open_channels == 0


def test_ends_that_could_not_be_recorded_follow_in_order() -> None:
    """Nothing is lost or doubled however often it is tried."""
    spool = _Spool()
    journal = Journal(spool, RUN)
    logs = [journal.association() for _ in range(2)]
    for log in logs:
        log.open({})
    spool.is_full = True
    for log in logs:
        log.close()
    journal.catch_up()
    assert spool.kinds[3:] == []
    spool.is_full = False
    journal.catch_up(at_once=True)
    journal.catch_up()
    assert spool.kinds[3:] == ["association_closed:1", "association_closed:2"]


def test_a_full_disk_is_tried_once_a_second() -> None:
    """However often the accept thread asks; at the end of the run it is tried once more."""
    spool, seconds = _Spool(), [100.0]
    journal = Journal(spool, RUN, monotonic=lambda: seconds[0])
    logs = [journal.association() for _ in range(2)]
    for log in logs:
        log.open({})
    spool.is_full = True
    for log in logs:
        log.close()
    tried = spool.tried
    for tenth in range(25):
        seconds[0] = 100 + tenth / 10
        journal.catch_up()
    assert spool.tried - tried == 3
    journal.catch_up(at_once=True)
    assert spool.tried - tried == 4
    spool.is_full = False
    journal.catch_up()
    assert spool.tried - tried == 4
    seconds[0] = 104.0
    journal.catch_up()
    assert spool.kinds[3:] == ["association_closed:1", "association_closed:2"]
