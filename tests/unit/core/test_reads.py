"""Whether a study was read: what counts, and that the order does not."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reads import Read, final_reads, reads_from_json, reads_to_json
from tests.reading import read

READS = st.builds(
    read,
    st.sampled_from(["", "1.2", "9.9"]),
    st.sampled_from(["", "A1", "A2"]),
    minutes=st.integers(0, 3),
    report_id=st.sampled_from(["R1", "R2"]),
    is_final=st.booleans(),
)


@pytest.mark.parametrize(
    ("said", "is_about"),
    [
        (read("1.2"), True),
        (read("1.2", "A2"), True),
        (read("9.9", "A1"), False),
        (read("", "A1"), True),
        (read("", "A2"), False),
        (read("", ""), False),
    ],
)
def test_a_report_is_about_the_study_that_it_names(said: Read, is_about: bool) -> None:
    """Its accession number counts where it names none."""
    assert said.names("1.2", "A1") is is_about
    assert bool(final_reads("1.2", "A1", [said])) is is_about


def test_no_accession_number_is_nobodys() -> None:
    """A study without one is not read by a report without one."""
    assert not read("", "").names("1.2", "")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_was_taken_back_last_was_not_read(order: tuple[int, ...]) -> None:
    """Final, cancelled, final again: the last word counts, in whatever order they came."""
    said = [read(minutes=0), read("", minutes=1, is_final=False), read(minutes=2)]
    assert final_reads("1.2", "", [said[n] for n in order]) == [said[2]]
    assert not final_reads("1.2", "", [said[n] for n in order if n < 2])


@pytest.mark.parametrize("ids", [("MSG9", "MSG10"), ("MSG10", "MSG9")])
@pytest.mark.parametrize("is_final", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_of_one_minute_what_came_last_counts(ids: tuple[str, str], is_final: bool, backwards: bool) -> None:
    """Clocks of senders tell minutes, and identifiers of messages have no order."""
    first = read(is_final=not is_final, source_id=ids[0], arrived=1)
    last = read(is_final=is_final, source_id=ids[1], arrived=2)
    found = final_reads("1.2", "", [last, first] if backwards else [first, last])
    assert found == ([last] if is_final else [])


def test_an_older_message_that_comes_late_takes_nothing_back() -> None:
    """An interface engine that replays: the time of the message goes before its arrival."""
    assert final_reads("1.2", "", [read(minutes=2, arrived=1), read(minutes=1, is_final=False, arrived=9)])


def test_what_one_message_says_both_ways_is_taken_back() -> None:
    """A result that waits does no harm."""
    assert not final_reads("1.2", "", [read(arrived=1), read(is_final=False, arrived=1)])


def test_only_the_same_report_is_taken_back() -> None:
    """A cancelled order says nothing of another report of the same study."""
    assert final_reads("1.2", "", [read(report_id="R1"), read(minutes=1, report_id="R2", is_final=False)])


@given(st.lists(READS, max_size=6), st.randoms())
def test_repetition_and_order_change_nothing(said: list[Read], random: st.DataObject) -> None:
    """The same statements, shuffled and doubled, say the same."""
    shuffled = said * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(final_reads("1.2", "A1", shuffled)) == set(final_reads("1.2", "A1", said))


@given(st.lists(READS, max_size=4))
def test_reads_are_written_and_read(said: list[Read]) -> None:
    """What stands in a record's meta is what was said."""
    assert reads_from_json(reads_to_json(said)) == tuple(said)
