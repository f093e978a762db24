"""Who an object says the patient is, beside the Patient ID; and whether two such statements can be one person's."""

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class Demographics:
    """Name, birth date and sex (PS3.3 C.7.1.1) as one object or message states them."""

    name: str = ""  # PN as decoded: up to three component groups, "family^given=ideographic=phonetic"
    birth_date: date | None = None
    sex: str = ""  # F, M, O or empty


UNSAID: Final = Demographics()
"""Nothing is said."""
