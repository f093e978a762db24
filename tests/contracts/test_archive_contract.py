"""What every archive must do: the fake one, our small one and Orthanc, the last two behind the real client."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path

import pytest

from agent.core.archive import Archive
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.result import ResultObject
from demo.archive import Archive as OwnArchive
from demo.archive import Switches
from demo.pacs_process import free_port
from tests.archives import Subject, client, subject
from tests.fakes.objects import COMPREHENSIVE_3D_SR, dataset_bytes, one_result, part10
from tests.fakes.pacs import FakePacs

__all__ = ["subject"]

_numbers = count(1000, 100)


@pytest.fixture
def objects() -> tuple[ResultObject, ...]:
    """An SR, a text SR and two captures that no other test uses, in a study of their own."""
    first = next(_numbers)
    return one_result(first, study=f"2.25.1{first}")


def listed(subject: Subject, one: ResultObject) -> bool:
    """Ask the archive for an object."""
    return subject.archive.has(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)


def test_each_part_has_its_outcome_in_order(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """One outcome a part, under its UID, with success."""
    outcomes = list(subject.archive.store([o.encoded for o in objects]))
    assert [(o.sop_instance_uid, o.status) for o in outcomes] == [(o.sop_instance_uid, 0) for o in objects]


def test_dataset_arrives_as_the_bytes_it_was(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """Nothing on the way decodes and encodes it again."""
    list(subject.archive.store([o.encoded for o in objects]))
    for one in objects:
        assert dataset_bytes(subject.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)


def test_stored_object_is_listed_where_it_belongs_and_nowhere_else(
    subject: Subject, objects: tuple[ResultObject, ...]
) -> None:
    """Study, series and instance must all be right."""
    one, other = objects[:2]
    assert not listed(subject, one)
    list(subject.archive.store([one.encoded]))
    assert listed(subject, one)
    assert not listed(subject, other)
    assert not subject.archive.has("2.25.99", one.series_instance_uid, one.sop_instance_uid)
    assert not subject.archive.has(one.study_instance_uid, "2.25.99", one.sop_instance_uid)


def test_storing_twice_is_harmless(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """The second time succeeds as well, and the object is there once."""
    for _ in range(2):
        assert [o.status for o in subject.archive.store([objects[0].encoded])] == [0]
    assert dataset_bytes(subject.fetch(objects[0].sop_instance_uid)) == dataset_bytes(objects[0].encoded)


def test_closing_early_sends_no_more(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """A caller that stops after the first outcome has sent one object."""
    outcomes = subject.archive.store([o.encoded for o in objects])
    assert next(outcomes).sop_instance_uid == objects[0].sop_instance_uid
    outcomes.close()
    assert [listed(subject, o) for o in objects] == [True, False, False, False]


def test_session_stores_lists_and_asks_as_single_calls_do(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """Two deliveries, a query for each object, an echo and a request for commitment in one session."""
    pairs = [(o.sop_class_uid, o.transfer_syntax_uid) for o in objects]
    with subject.archive.session(pairs, reads_back=True) as archive:
        for some in (objects[:2], objects[2:]):
            assert [o.status for o in archive.store([one.encoded for one in some])] == [0, 0]
        assert all(archive.has(o.study_instance_uid, o.series_instance_uid, o.sop_instance_uid) for o in objects)
        assert not archive.has(objects[0].study_instance_uid, "2.25.99", objects[0].sop_instance_uid)
        archive.echo()
        archive.request_commitment(f"{objects[0].sop_instance_uid}.2", [(pairs[0][0], objects[0].sop_instance_uid)])
    assert listed(subject, objects[0])


def test_nothing_leaves_once_the_answer_is_no(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """Asked before each object: after the second one, nothing more is sent."""
    answers = iter([True, True, False])
    outcomes = list(subject.archive.store([o.encoded for o in objects], may_send=lambda _: next(answers)))
    assert [o.sop_instance_uid for o in outcomes] == [o.sop_instance_uid for o in objects[:2]]
    assert [listed(subject, o) for o in objects] == [True, True, False, False]


def test_nothing_to_store_is_no_outcome(subject: Subject) -> None:
    """An empty delivery is over at once."""
    assert list(subject.archive.store([])) == []


@pytest.mark.parametrize("broken", [b"", b"\x00" * 200, part10(COMPREHENSIVE_3D_SR, "2.25.5")[144:]])
def test_bytes_that_are_no_part_10_file_are_refused_before_anything_is_sent(
    subject: Subject, objects: tuple[ResultObject, ...], broken: bytes
) -> None:
    """Permanent, and the good part beside it was not sent."""
    with pytest.raises(Permanent, match="Part 10"):
        list(subject.archive.store([objects[0].encoded, broken]))
    assert not listed(subject, objects[0])


def test_peer_answers_echo_and_takes_a_commitment_request(subject: Subject, objects: tuple[ResultObject, ...]) -> None:
    """Neither raises."""
    subject.archive.echo()
    assert [outcome.status for outcome in subject.archive.store([objects[0].encoded])] == [0]
    subject.archive.request_commitment(
        f"{objects[0].sop_instance_uid}.1", [(objects[0].sop_class_uid, objects[0].sop_instance_uid)]
    )


CALLS: list[Callable[[Archive], object]] = [
    lambda a: list(a.store([part10(COMPREHENSIVE_3D_SR, "2.25.5")])),
    lambda a: a.has("1", "2", "3"),
    lambda a: a.request_commitment("2.25.1", [("1.2", "1.2.3")]),
    lambda a: a.echo(),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("sort", ["fake", "nobody listens"])
def test_peer_that_is_not_there_is_unreachable(sort: str, call: Callable[[Archive], object]) -> None:
    """Every call says so, as the fake does."""
    archive: Archive = FakePacs(down=True) if sort == "fake" else client("NOBODY", free_port())
    with pytest.raises(Unreachable):
        call(archive)


@pytest.mark.parametrize("call", CALLS)
def test_peer_that_rejects_is_unreachable_until_it_does_not(call: Callable[[Archive], object], tmp_path: Path) -> None:
    """The first association is rejected with its reason, the second is not."""
    with OwnArchive("ARCHIVE", tmp_path, switches=Switches(refuse_first=1, drop_commitment=True)) as own:
        with pytest.raises(Unreachable, match="rejected the association: Local limit exceeded"):
            call(client("ARCHIVE", own.port))
        call(client("ARCHIVE", own.port))


@pytest.mark.parametrize("sort", ["fake", "own"])
def test_object_stays_while_what_it_needs_may_still_come(sort: str, tmp_path: Path) -> None:
    """The text SR cannot be stored for now: the capture that needs it stays, the other one goes."""
    parts = one_result(1)
    encoded, uids = [p.encoded for p in parts], [p.sop_instance_uid for p in parts]
    needs = {uids[2]: [uids[1]], uids[0]: []}
    status = {parts[1].sop_class_uid: 0xA700}
    with OwnArchive("ARCHIVE", tmp_path, switches=Switches(status=status)) as own:
        archive: Archive = FakePacs(status=status) if sort == "fake" else client("ARCHIVE", own.port)
        outcomes = [(o.sop_instance_uid, o.status) for o in archive.store(encoded, needs=needs)]
    assert outcomes == [(uids[0], 0), (uids[1], 0xA700), (uids[3], 0)]


def refusing(sort: str, classes: frozenset[str], folder: Path) -> AbstractContextManager[Archive]:
    """Return an archive that accepts no presentation context for these classes."""
    if sort == "fake":
        return nullcontext(FakePacs(refuse_sop_classes=classes))
    return _own(OwnArchive("ARCHIVE", folder, switches=Switches(refuse_sop_classes=classes)))


@contextmanager
def _own(own: OwnArchive) -> Iterator[Archive]:
    with own:
        yield client("ARCHIVE", own.port)


@pytest.mark.parametrize("sort", ["fake", "own"])
def test_class_that_is_not_accepted_has_no_status(sort: str, tmp_path: Path) -> None:
    """What finds no presentation context has status None, also when it comes alone later; the rest is stored."""
    parts = one_result(1)
    with refusing(sort, frozenset({parts[0].sop_class_uid}), tmp_path) as archive:
        assert [o.status for o in archive.store([p.encoded for p in parts])] == [None, 0, 0, 0]
        assert [o.status for o in archive.store([parts[0].encoded])] == [None]


@pytest.mark.parametrize("sort", ["fake", "own"])
def test_archive_that_accepts_no_class_is_tried_again(sort: str, tmp_path: Path) -> None:
    """It may be being set up: that says nothing of the objects."""
    parts = one_result(1)
    with (
        refusing(sort, frozenset(p.sop_class_uid for p in parts), tmp_path) as archive,
        pytest.raises(Transient, match="accepted n"),
    ):
        list(archive.store([p.encoded for p in parts]))
