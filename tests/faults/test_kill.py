"""Kill -9 of the whole tree at every declared boundary: nothing acknowledged is lost, one result set arrives."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from agent import crashpoint
from agent.core.errors import SentinodeError
from agent.spool import SpoolReader
from tests.acceptance.conftest import Hospital, changes, kinds, quiet_hospital, views  # noqa: F401 fixtures

EXPECTED = {"sr": 1, "text_sr": 1, "secondary_capture": 2}


def send_until_taken(place: Hospital, datasets: list[Dataset]) -> set[str]:
    """Send as a modality does, one object at a time; return the UIDs that were acknowledged."""
    taken = set()
    for ds in datasets:
        try:
            if place.send([ds]) == [0]:
                taken.add(str(ds.SOPInstanceUID))
        except SentinodeError:
            continue
    return taken


def spooled(folder: Path) -> Iterator[str]:
    """SOP Instance UIDs of the records in the spool."""
    return (r.meta["sop_instance_uid"] for r in SpoolReader(folder).after({}) if "sop_instance_uid" in r.meta)


# the first records are of the receiver's start and of the association; the third is of an instance
EVERY = [*(f"{name}:1" for name in crashpoint.POINTS), "spool.after_append:3", "spool.after_sync:3"]
QUICK = {"spool.after_append:3", "infer.after_save:1", "deliver.between_stores:1"}


@pytest.mark.parametrize("point", [p if p in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in EVERY])
def test_kill_at_every_boundary(quiet_hospital: Hospital, point: str) -> None:  # noqa: F811 the fixture
    """After kill -9 at a boundary and a restart: acknowledged instances are there, exactly one result set came."""
    hospital = quiet_hospital
    hospital.agent.start(SENTINODE_TEST_KILL_AT=point)
    hospital.agent.wait_listening(or_dead=True)
    datasets = views(hospital.patient(1), "L CC", "L MLO")
    taken = send_until_taken(hospital, datasets)
    assert hospital.agent.wait_dead(60) == -9, f"{point} was never reached"
    assert taken <= set(spooled(hospital.folder / "spool"))
    hospital.agent.start()
    hospital.agent.wait_listening()
    rest = [ds for ds in datasets if str(ds.SOPInstanceUID) not in taken]
    assert len(send_until_taken(hospital, rest)) == len(rest)
    (newest, *older) = hospital.wait_ended(seconds=90)
    assert newest["state"] == "done", newest["reason"]
    assert newest["instances"] == 2
    assert not older or len(taken) < 2  # what was never acknowledged may come late: a version of its own
    assert_one_result_set(hospital, versions=1 + len(older))


def assert_one_result_set(place: Hospital, versions: int) -> None:
    """The archive holds one set of objects for each version, nothing beside it."""
    assert Counter(kinds(place.results()))["text_sr"] == versions
    if versions == 1:
        assert Counter(kinds(place.results())) == EXPECTED


def test_every_declared_boundary_is_reached(quiet_hospital: Hospital, tmp_path: Path) -> None:  # noqa: F811 the fixture
    """One ordinary case crosses every boundary of the registry, so none is declared in vain."""
    hospital, trace = quiet_hospital, tmp_path / "trace"
    hospital.agent.start(SENTINODE_TEST_TRACE=str(trace))
    hospital.agent.wait_listening()
    hospital.send(views(hospital.patient(1), "L CC", "L MLO"))
    hospital.wait_ended()
    assert set(trace.read_text(encoding="ascii").split()) == set(crashpoint.POINTS)
