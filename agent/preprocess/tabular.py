"""Clinical facts to the two vectors a bundle reads: standardised values, and which of them are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from agent.core.clinical import ClinicalFacts, Value
from agent.core.manifest import FactSpec

AGE = "age"
BIRTH_DATE = "birth_date"


@dataclass(frozen=True)
class Encoded:
    """Facts as a bundle reads them; a fact that is not known is 0 in both vectors."""

    values: NDArray[np.float32]  # (F,): (number - mean) / sd; a category counts as its index, a bool as 0 or 1
    present: NDArray[np.float32]  # (F,): 1 where the fact is known, else 0
    used: tuple[str, ...]  # names of the facts that are present
    unusual: tuple[str, ...]  # used although outside the training range, or unknown category and so left out


def encode(facts: ClinicalFacts, specs: Sequence[FactSpec], on: date) -> Encoded:
    """Encode the facts a bundle names.

    Parameters
    ----------
    facts : ClinicalFacts
        What is known of the patient.
    specs : Sequence[FactSpec]
        The bundle's facts, in the order of its input.
    on : date
        The day on which the question is asked; "age" is the age in whole years on it.
    """
    numbers = [_number(_value(facts, spec.name, on), spec) for spec in specs]
    known = [number is not None for number in numbers]
    values = [0.0 if n is None else (n - s.mean) / s.sd for n, s in zip(numbers, specs, strict=True)]
    return Encoded(
        values=np.asarray(values, np.float32),
        present=np.asarray(known, np.float32),
        used=tuple(spec.name for spec, is_known in zip(specs, known, strict=True) if is_known),
        unusual=tuple(
            s.name for s, n in zip(specs, numbers, strict=True) if _is_unusual(n, _value(facts, s.name, on), s)
        ),
    )


def _value(facts: ClinicalFacts, name: str, on: date) -> Value | None:
    return facts.age(on) if name == AGE else facts.value(name)


def _number(value: Value | None, spec: FactSpec) -> float | None:
    if value is None:
        return None
    if spec.values:
        return float(spec.values.index(str(value))) if str(value) in spec.values else None
    return float(value) if isinstance(value, int | float) else None


def _is_unusual(number: float | None, value: Value | None, spec: FactSpec) -> bool:
    if number is None:
        return value is not None
    return not spec.values and not spec.low <= number <= spec.high
