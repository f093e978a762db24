"""Views as JSON: what a program reads is what a person sees."""

from collections import Counter

from agent.operate.status import to_json
from agent.state.overview import Overview


def test_a_count_of_any_kind_is_written_as_it_is() -> None:
    """A Counter within a view is a mapping, not pairs to be counted once more."""
    seen = Overview({}, Counter({"collected": 7}), {}, {}, None, 0)
    assert to_json(seen)["arrivals"] == {"collected": 7}
