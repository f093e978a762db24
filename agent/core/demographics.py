"""Who an object says the patient is, beside the Patient ID; and whether two such statements can be one person's."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from agent.core.person_name import names_agree


@dataclass(frozen=True, slots=True)
class Demographics:
    """Name, birth date and sex (PS3.3 C.7.1.1) as one object or message states them."""

    name: str = ""  # PN as decoded: up to three component groups, "family^given=ideographic=phonetic"
    birth_date: date | None = None
    sex: str = ""  # F, M, O or empty


UNSAID: Final = Demographics()
"""Nothing is said."""


def contradiction(a: Demographics, b: Demographics) -> str:
    """Return what shows that two statements are of two persons, empty where they can be one person's; never a value.

    Birth dates that differ are two persons', and so are F and M; what is not said, and sex O, contradicts nothing.
    Names are compared by `names_agree`; a typing error in a name alone is tolerated where birth date and sex are both
    said and equal. Symmetric and reflexive. Not transitive: Doe may be Doe^Jane and Doe^Joan, who are two. So each
    statement is compared with each other one, never with a first one only.
    """
    differ = {
        "names": a.name != b.name and names_agree(a.name, b.name, confirmed=is_confirmed(a, b)) is False,
        "birth dates": None not in (a.birth_date, b.birth_date) and a.birth_date != b.birth_date,
        "sexes": {_sex(a), _sex(b)} == {"F", "M"},
    }
    found = [f"the {what}" for what, is_different in differ.items() if is_different]
    return f"{' and '.join(found)} differ" if found else ""


def is_confirmed(a: Demographics, b: Demographics) -> bool:
    """Whether both say birth date and sex, F or M, and the same."""
    return a.birth_date is not None and a.birth_date == b.birth_date and _sex(a) == _sex(b) != ""


def _sex(said: Demographics) -> str:
    """F or M; any other value (O, unknown, none) neither confirms nor contradicts."""
    sex = said.sex.strip().upper()
    return sex if sex in ("F", "M") else ""
