"""What becomes of images whose bytes are no longer kept: they come again, or are asked for."""

from pathlib import Path

import pytest

from agent.assemble.judging import KEPT_AGAIN
from agent.core.errors import Permanent
from agent.core.instance import End
from agent.infer.rerun import rerun
from tests.fakes.instances import IMPLICIT, mammogram, uid
from tests.indexing import House
from tests.recycling import FAILED


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A case with one image of which the bytes are gone."""
    made = House(tmp_path)
    made.send(mammogram())
    made.indexer.tick()
    with made.store.unit() as unit:
        (stored,) = unit.instances(made.cases()[-1].id)
        unit.forget_bytes([stored.ref])
    return made


def _is_there(house: House) -> bool:
    with house.store.unit() as unit:
        stored = unit.find_instance(uid("1"))
    assert stored is not None
    if not stored.is_gone:
        house.spool.read(stored.ref)
    return not stored.is_gone


def _ends(house: House) -> list[End]:
    with house.store.unit() as unit:
        return [one.end for one in unit.arrivals()]


def test_the_same_bytes_again_are_placed(house: House) -> None:
    """A duplicate, which the case reads from then on."""
    assert not _is_there(house)
    house.send(mammogram())
    house.indexer.tick()
    assert _is_there(house)
    assert _ends(house) == [End.COLLECTED, End.DUPLICATE]


def test_another_encoding_takes_the_place_of_what_is_gone(house: House) -> None:
    """As archives send them; the next time the first encoding does again."""
    house.send_as(IMPLICIT, mammogram())
    house.indexer.tick()
    assert _is_there(house)
    with house.store.unit() as unit:
        assert unit.arrivals()[-1].reason == KEPT_AGAIN
        stored = unit.find_instance(uid("1"))
        assert stored is not None
        unit.forget_bytes([stored.ref])
    house.send(mammogram())
    house.indexer.tick()
    assert _is_there(house)


def test_other_attributes_are_still_a_person_s_to_decide(house: House) -> None:
    """There is nothing to decode and compare with."""
    house.send_as(IMPLICIT, mammogram(PatientName="OTHER^NAME"))
    house.indexer.tick()
    assert not _is_there(house)
    assert _ends(house)[-1] is End.CORRECTION


def test_a_failed_case_is_not_run_again_without_its_images(house: House) -> None:
    """It says what is missing, and runs once that came."""
    case = house.cases()[-1]
    with house.store.unit() as unit:
        for event in FAILED:
            case = unit.apply(case, event, house.clock(), due_at=house.clock())
    with pytest.raises(Permanent, match="1 of its 1 images are no longer kept here"):
        rerun(house.store, case.id, house.clock())
    house.send(mammogram())
    house.indexer.tick()
    assert rerun(house.store, case.id, house.clock()).state == "ready"
