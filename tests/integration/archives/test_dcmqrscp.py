"""An archive of another make, DCMTK's dcmqrscp: storage, read-back, and no storage commitment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.case import CaseState
from agent.core.errors import Permanent
from agent.core.ports import OutboxStatus, Store
from demo.pacs_process import free_port
from tests.archives import Dcmqrscp, client
from tests.fakes.objects import dataset_bytes
from tests.integration.archives.conftest import Delivering, made
from tests.peers import program


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dcmqrscp]:
    """One for all tests."""
    program("dcmqrscp")
    started = Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), "DCMQRSCP", free_port(), {})
    started.start()
    yield started
    started.kill()


def test_whole_result_is_stored_read_back_and_done(store: Store, archive: Dcmqrscp) -> None:
    """Every kind of object is taken, Comprehensive 3D SR too, is listed, and says what it said; no SR comes twice."""
    objects = made("stored")
    delivery = Delivering(store, client("DCMQRSCP", archive.port))
    case = delivery.queue(objects)
    delivery.run(case)
    assert delivery.state(case) is CaseState.DONE
    assert {i.status for i in delivery.items(case)} == {OutboxStatus.CONFIRMED}
    for one in [one for one in objects if not one.instead_of]:
        assert dataset_bytes(archive.fetch(one.sop_instance_uid)) == dataset_bytes(one.encoded)
    (in_reserve,) = (one.sop_instance_uid for one in objects if one.instead_of)
    with pytest.raises(KeyError):
        archive.fetch(in_reserve)


def test_object_is_listed_only_where_it_belongs(archive: Dcmqrscp) -> None:
    """Study, series and instance must all be right; one that was not sent is not listed."""
    sent, other = made("listed")[:2]
    pacs = client("DCMQRSCP", archive.port)
    assert [o.status for o in pacs.store([sent.encoded])] == [0]
    assert pacs.has(sent.study_instance_uid, sent.series_instance_uid, sent.sop_instance_uid)
    assert not pacs.has(other.study_instance_uid, other.series_instance_uid, other.sop_instance_uid)
    assert not pacs.has("2.25.99", sent.series_instance_uid, sent.sop_instance_uid)
    assert not pacs.has(sent.study_instance_uid, "2.25.99", sent.sop_instance_uid)


def test_sending_again_leaves_one_of_each(archive: Dcmqrscp) -> None:
    """A resend is the same objects."""
    objects = made("again")
    pacs = client("DCMQRSCP", archive.port)
    for _ in range(2):
        assert [o.status for o in pacs.store([o.encoded for o in objects])] == [0] * len(objects)
    kept = [uid for _, uid, study, _ in archive.instances() if study == objects[0].study_instance_uid]
    assert sorted(kept) == sorted(o.sop_instance_uid for o in objects)


def test_commitment_is_not_offered(store: Store, archive: Dcmqrscp) -> None:
    """A site that asks it for commitment gets the proof that the archive can give: it lists every object."""
    pacs = client("DCMQRSCP", archive.port)
    with pytest.raises(Permanent, match="no storage commitment"):
        pacs.request_commitment("2.25.1", [("1.2", "1.2.3")])
    delivery = Delivering(store, pacs, "commitment")
    case = delivery.queue(made("uncommitted"))
    delivery.courier.tick()
    assert delivery.state(case) is CaseState.DONE
    assert {i.status for i in delivery.items(case)} == {OutboxStatus.CONFIRMED}
    assert all("no storage commitment" in i.error for i in delivery.items(case))


def test_result_survives_its_restart(store: Store, tmp_path: Path) -> None:
    """Killed before it is asked whether it has them, and started again: it still has them."""
    program("dcmqrscp")
    archive = Dcmqrscp(tmp_path / "dcmqrscp", "DCMQRSCP", free_port(), {})
    delivery = Delivering(store, client("DCMQRSCP", archive.port))
    case = delivery.queue(made("restarted"))
    with archive:
        list(delivery.archive.store([o.encoded for o in made("restarted")]))
        archive.kill()
        delivery.courier.tick()
        assert {i.status for i in delivery.items(case)} == {OutboxStatus.WAITING}
        archive.start()
        delivery.run(case)
        assert delivery.state(case) is CaseState.DONE
