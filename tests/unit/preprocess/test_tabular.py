"""Clinical facts become vectors."""

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clinical import ClinicalFacts, Fact, Value
from agent.core.manifest import FactSpec
from agent.preprocess.tabular import encode

DAY = date(2026, 1, 5)
SPECS = (
    FactSpec("age", "years", mean=60, sd=10, low=30, high=90),
    FactSpec("ki67_percent", "%", mean=20, sd=10, low=1, high=95),
    FactSpec("multifocal", "bool", mean=0.25, sd=0.5, high=1),
    FactSpec("her2", "", values=("negative", "low", "positive"), mean=1, sd=2),
)

VALUES = st.booleans() | st.integers(-9, 999) | st.sampled_from(["", "low", "positive", "20"])


def facts(**values: Value) -> ClinicalFacts:
    """Facts known on DAY."""
    return ClinicalFacts({name: Fact(value, DAY) for name, value in values.items()})


def test_numbers_are_standardised() -> None:
    """A number becomes (number - mean) / sd."""
    encoded = encode(facts(ki67_percent=35.0), SPECS, DAY)
    assert encoded.values.tolist() == [0, 1.5, 0, 0]
    assert encoded.present.tolist() == [0, 1, 0, 0]
    assert encoded.used == ("ki67_percent",)


def test_age_is_derived_from_the_birth_date() -> None:
    """Age is that on the day of the question."""
    born = facts(birth_date=date(1956, 1, 6))
    assert encode(born, SPECS, DAY).values[0] == np.float32(0.9)
    assert encode(born, SPECS, date(2026, 1, 6)).values[0] == np.float32(1.0)


def test_yes_and_no_are_one_and_zero() -> None:
    """A bool is standardised like a number, and no is not the same as unknown."""
    assert encode(facts(multifocal=True), SPECS, DAY).values[2] == np.float32(1.5)
    no = encode(facts(multifocal=False), SPECS, DAY)
    assert (no.values[2], no.present[2]) == (np.float32(-0.5), 1)


def test_a_category_counts_as_its_index() -> None:
    """The order of a category's values is the manifest's."""
    assert encode(facts(her2="positive"), SPECS, DAY).values[3] == np.float32(0.5)


def test_a_category_the_bundle_does_not_know_is_left_out() -> None:
    """An unknown category is not used, and is reported."""
    encoded = encode(facts(her2="equivocal"), SPECS, DAY)
    assert encoded.present[3] == 0
    assert (encoded.used, encoded.unusual) == ((), ("her2",))


def test_a_number_outside_the_training_range_is_used_and_reported() -> None:
    """Unusual is not unusable."""
    encoded = encode(facts(ki67_percent=99.0, multifocal=True), SPECS, DAY)
    assert encoded.used == ("ki67_percent", "multifocal")
    assert encoded.unusual == ("ki67_percent",)


def test_text_where_a_number_belongs_is_left_out() -> None:
    """A text is never read as a number."""
    encoded = encode(facts(ki67_percent="20"), SPECS, DAY)
    assert (encoded.used, encoded.unusual) == ((), ("ki67_percent",))


def test_nothing_known_is_all_zero() -> None:
    """Without facts both vectors are 0 and nothing is unusual."""
    encoded = encode(ClinicalFacts(), SPECS, DAY)
    assert not encoded.values.any()
    assert not encoded.present.any()
    assert encoded.unusual == ()
    assert encoded.values.dtype == encoded.present.dtype == np.float32


@given(st.dictionaries(st.sampled_from([s.name for s in SPECS]), VALUES))
def test_what_is_not_present_is_zero(values: dict[str, Value]) -> None:
    """Whatever is known, an absent fact leaves no trace in the values."""
    encoded = encode(facts(**values), SPECS, DAY)
    assert np.isfinite(encoded.values).all()
    assert not encoded.values[encoded.present == 0].any()
    assert int(encoded.present.sum()) == len(encoded.used)
