"""What every store does with associations: an open one holds the cases it brought images of."""

from dataclasses import replace

import pytest

from agent.core.instance import End
from agent.core.ports import Store
from tests.state_stores import MINUTE, T0, arrival, instance, opened


def test_an_open_association_holds_its_case(store: Store) -> None:
    """A case waits for the association that brings its instances, and only for that."""
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        unit.association_opened("run/2", "MAMMO1", T0)
        mine = unit.add_instance(opened(unit), instance(), arrival(), T0)
        other = opened(unit, 1)
        assert unit.has_open_association(mine.id)
        assert not unit.has_open_association(other.id)
        unit.association_closed("run/1", T0 + MINUTE)
        assert not unit.has_open_association(mine.id)


def test_a_repeated_instance_holds_its_case(store: Store) -> None:
    """A second association that sends an instance again holds the case, too."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        assert not unit.has_open_association(case.id)
        unit.association_opened("run/2", "MAMMO1", T0)
        unit.arrived(arrival(offset=1, association_id="run/2", end=End.DUPLICATE))
        assert unit.has_open_association(case.id)


def test_a_restarted_receiver_has_no_association(store: Store) -> None:
    """What was open when the receiver died is over; a record read twice does not open it again."""
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.receiver_started(T0 + MINUTE)
        unit.association_opened("run/1", "MAMMO1", T0)
        assert not unit.has_open_association(case.id)


def test_a_restart_leaves_the_associations_of_the_new_run(store: Store) -> None:
    """An association that opened after the start, and was read before it, stays open."""
    with store.unit() as unit:
        unit.association_opened("run2/1", "MAMMO1", T0 + 2 * MINUTE)
        case = unit.add_instance(opened(unit), instance(), arrival(association_id="run2/1"), T0)
        unit.receiver_started(T0 + MINUTE)
        assert unit.has_open_association(case.id)


@pytest.mark.parametrize("times", [1, 2])
def test_an_end_that_is_read_before_its_beginning_stands(store: Store, times: int) -> None:
    """Segments are read one after another: a beginning that comes after its end opens nothing."""
    with store.unit() as unit:
        case = unit.add_instance(opened(unit), instance(), arrival(), T0)
        for _ in range(times):
            unit.association_closed("run/1", T0 + MINUTE)
        assert not unit.has_open_association(case.id)
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        assert not unit.has_open_association(case.id)


def test_where_a_place_is_hidden_no_association_is_waited_for(store: Store) -> None:
    """The end of those that brought something of that segment may be what is hidden; others stay open."""
    with store.unit() as unit:
        unit.association_opened("run/1", "MAMMO1", T0)
        unit.association_opened("run/2", "MAMMO1", T0)
        here = unit.add_instance(opened(unit), instance(), arrival(), T0)
        unit.arrived(arrival(offset=1, association_id="run/2", end=End.DUPLICATE))
        ref = arrival().ref
        unit.place_hidden(replace(ref, generation=ref.generation + 1, offset=99), T0 + MINUTE)
        unit.place_hidden(replace(ref, segment=ref.segment + 1, offset=99), T0 + MINUTE)
        assert unit.has_open_association(here.id)
        unit.place_hidden(replace(ref, offset=99), T0 + MINUTE)
        assert not unit.has_open_association(here.id)
