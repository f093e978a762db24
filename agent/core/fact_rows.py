"""What the hospital's rows say of a patient: one value a fact, the newest that was known at the time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Final, TypeAlias

from agent.core.clinical import ClinicalFacts, Fact, Refusal
from agent.core.derived import derive
from agent.core.fact_values import RefusedValueError, day
from agent.core.facts import COLUMNS, FACTS, IDENTITY, FactRule
from agent.core.patient import PatientKey

Row: TypeAlias = Mapping[str, object]

TALL_COLUMNS: Final = frozenset({*IDENTITY, "name", "value", "date", "source"})
"""Every column of the tall form: one row a fact."""

AGE_AT_DIAGNOSIS: Final = (18, 110)
SAME_DAY: Final = "two values of the same day"
FUTURE: Final = "dated in the future"
UNKNOWN: Final = "not a known fact"


@dataclass(frozen=True, slots=True)
class _Said:
    """What one row says of one fact. Without `fact`, `reason` says why; without `known_on` it has no place in time."""

    known_on: date | None
    fact: Fact | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a fact is and was, newest first. With a `reason` the fact is refused: then it only was."""

    values: tuple[Fact, ...] = ()
    unread: tuple[date, ...] = ()  # days of values that broke a rule
    reason: str = ""


def is_tall(columns: Sequence[str]) -> bool:
    """Whether these are the columns of a table of names and values; otherwise each column is a fact."""
    return {"name", "value"} <= set(columns)


def read_answer(rows: Sequence[Row], patient: PatientKey, as_of: date) -> ClinicalFacts | None:
    """Return what a query's rows say of a patient on a day (UTC), derived facts too; None without a row."""
    return derive(parse_rows(rows, patient, as_of)) if rows else None


def parse_rows(rows: Sequence[Row], patient: PatientKey, as_of: date | None = None) -> ClinicalFacts:
    """Read the rows of the clinical query; their order does not matter.

    A fact is dated by `<name>_date`, else by its row's `recorded_date`; in the tall form by `date`. Of several values
    the newest known is taken, dated by the day since which it holds; the earlier ones are kept beside it. Dates of
    treatment are the earliest that is known. What breaks a rule is refused alone, by name and rule, and so is a fact
    whose newest value breaks one: what it was before is kept nevertheless. Reasons never quote a value. NULL is a fact
    that is not known.

    Parameters
    ----------
    rows
        Column name to value, as a database driver gives them (SQLite: dates as text, booleans as 0 and 1).
    patient
        Who was asked about. Rows among which one is of anyone else are refused as a whole.
    as_of
        What became known later does not count; with None everything does. A day more is allowed: it is a day of
        UTC, and facts are dated in local time.
    """
    asked = {"patient_id": patient.patient_id, "issuer_of_patient_id": patient.issuer}
    if strangers := [name for name in IDENTITY if any(row.get(name) != asked[name] for row in rows)]:
        return ClinicalFacts(refused=tuple(Refusal(name, "not the patient who was asked for") for name in strangers))
    said: dict[str, list[_Said]] = {}
    refused: set[Refusal] = set()
    for row in rows:
        refused.update(Refusal(name, UNKNOWN) for name in _unknown(row))
        for name, one in _statements(row):
            said.setdefault(name, []).append(one)
    known = {name: _known(FACTS[name], statements, as_of) for name, statements in said.items()}
    refused.update(Refusal(name, one.reason) for name, one in known.items() if one.reason)
    facts = {name: one.values[0] for name, one in known.items() if not one.reason}
    if not _plausible_age(facts):
        del facts["birth_date"]
        refused.add(Refusal("birth_date", "age at diagnosis outside {} to {}".format(*AGE_AT_DIAGNOSIS)))
    return ClinicalFacts(
        MappingProxyType({name: facts[name] for name in FACTS if name in facts}),
        tuple(sorted(refused, key=lambda r: (r.name, r.reason))),
        MappingProxyType({name: old for name, one in known.items() if (old := one.values[not one.reason :])}),
        MappingProxyType({name: one.unread for name, one in known.items() if one.unread}),
    )


def _unknown(row: Row) -> Iterator[str]:
    """Name the columns that are none of ours. A name that a tall row gives is never repeated: it may be a person's."""
    known = TALL_COLUMNS if (tall := is_tall(tuple(row))) else COLUMNS
    yield from (str(name) for name in row if name not in known)
    if tall and _name(row) not in FACTS:
        yield "name"


def _statements(row: Row) -> Iterator[tuple[str, _Said]]:
    if is_tall(tuple(row)):
        rule = FACTS.get(_name(row))
        if rule and row["value"] is not None:
            yield rule.name, _said(rule, rule.kind.unwritten(row["value"]), row, ("date",), "source")
        return
    for name, rule in FACTS.items():
        if (raw := row.get(name)) is not None:
            yield name, _said(rule, raw, row, (f"{name}_date", "recorded_date"), f"{name}_source")


def _name(row: Row) -> str:
    name = row["name"]
    return name.strip() if isinstance(name, str) else ""


def _said(rule: FactRule, raw: object, row: Row, dates: Sequence[str], source: str) -> _Said:
    known_on, reason = _known_on(row, dates)
    try:
        value = rule.kind.parse(raw)
    except RefusedValueError as exc:
        return _Said(known_on, None, str(exc))
    if known_on is None:
        return _Said(None, None, reason)
    said = row.get(source)
    return _Said(known_on, Fact(value, known_on, said.strip() if isinstance(said, str) else ""))


def _known_on(row: Row, columns: Sequence[str]) -> tuple[date | None, str]:
    for column in columns:
        if (raw := row.get(column)) is not None:
            try:
                return day(raw), ""
            except RefusedValueError as exc:
                return None, f"{column} is {exc}"
    return None, "without a date: " + (f"neither {' nor '.join(columns)}" if columns[1:] else f"no {columns[0]}")


def _known(rule: FactRule, said: Sequence[_Said], as_of: date | None) -> _Known:
    """Return what a fact is and was; or why it is refused, and what it was nevertheless."""
    dated = [(one.known_on, one) for one in said if one.known_on is not None]
    dateless = min((one.reason for one in said if one.known_on is None), default="")  # may be newer than any other
    limit = date.max if as_of is None else as_of + timedelta(days=1)
    in_time = sorted(((when, one) for when, one in dated if when <= limit), key=lambda pair: pair[0])
    if not in_time:
        return _Known(reason=dateless or FUTURE)
    if rule.earliest:
        return _Known(reason=dateless) if dateless else _earliest([one for _, one in in_time])
    held: list[Fact] = []
    unread: list[date] = []
    reason = ""
    for when, of_day in groupby(in_time, key=lambda pair: pair[0]):
        value = _of_day([one for _, one in of_day])
        if isinstance(value, str):
            unread.append(when)
        elif reason or not held or held[-1].value != value.value:
            held.append(value)
        reason = value if isinstance(value, str) else ""
    return _Known(tuple(reversed(held)), tuple(unread), dateless or reason)


def _of_day(said: Sequence[_Said]) -> Fact | str:
    """Return what the rows of one day agree on, from whichever of them names its source; or why they do not."""
    if reasons := [one.reason for one in said if one.fact is None]:
        return min(reasons)
    facts = sorted((one.fact for one in said if one.fact), key=lambda fact: (not fact.source, fact.source))
    return facts[0] if len({fact.value for fact in facts}) == 1 else SAME_DAY


def _earliest(said: Sequence[_Said]) -> _Known:
    if reasons := [one.reason for one in said if one.fact is None]:
        return _Known(reason=min(reasons))
    facts = [one.fact for one in said if one.fact]
    return _Known((min(facts, key=lambda fact: (str(fact.value), fact.known_on, not fact.source, fact.source)),))


def _plausible_age(facts: Mapping[str, Fact]) -> bool:
    if "birth_date" not in facts or "diagnosis" not in facts:
        return True
    age = ClinicalFacts({"birth_date": facts["birth_date"]}).age(facts["diagnosis"].known_on)
    return age is not None and AGE_AT_DIAGNOSIS[0] <= age <= AGE_AT_DIAGNOSIS[1]
