"""The hospital's clinical database as a source of facts: one named query, bound parameters, never a write."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import CursorResult

from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent
from agent.core.fact_rows import TALL_COLUMNS, Row, is_tall, read_answer
from agent.core.facts import COLUMNS, IDENTITY
from agent.core.patient import PatientKey
from agent.ehr.connect import read_only_engine, reading
from agent.ehr.query import PARAMETERS, clinical_query, dated_by_parameter, parameters

NOBODY: Final = PatientKey("sentinode check-config", "sentinode nobody")
"""A patient whom no hospital has."""

MOST_ROWS: Final = 10_000
"""More rows for one patient are a query that forgot its condition, not a history."""


class EhrSource:
    """Asks the clinical database with a query that the site may edit; satisfies `ClinicalSource`.

    Parameters
    ----------
    url
        SQLAlchemy URL, such as `sqlite:///path` or `postgresql+psycopg://user@host/database`.
    query_file
        SQL with the bound parameters :patient_id, :issuer and :as_of, returning rows whose columns are facts, or one
        row a fact with the columns name, value, date and source.
    timeout_s
        Bound on connecting, and on the query, in seconds.

    Raises
    ------
    Permanent
        If the URL or the file cannot be read.
    """

    def __init__(self, url: str, query_file: Path, timeout_s: float, password: str | None = None) -> None:
        try:
            self._query = clinical_query(query_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise Permanent(f"the clinical query {query_file} cannot be read") from None
        self._file = query_file
        self._timeout_s = timeout_s
        self._engine = read_only_engine(url, timeout_s, password)

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Return what is known of a patient, None where the hospital does not know the patient.

        Raises
        ------
        Transient
            If the database is away, locked or too slow.
        Permanent
            If the query is wrong, or a row of its answer is not this patient's.
        """
        if not (patient.patient_id.isprintable() and patient.issuer.isprintable()):
            return None  # no hospital has such an identity, and some databases cannot be asked for it
        with self._asked(patient, as_of) as result:
            rows: list[Row] = [dict(row) for row in result.mappings().fetchmany(MOST_ROWS + 1)]
        if len(rows) > MOST_ROWS:
            raise Permanent(f"{self._file}: more than {MOST_ROWS} rows for a patient")
        facts = read_answer(rows, patient, as_of.astimezone(UTC).date())
        if facts and any(refusal.name in IDENTITY for refusal in facts.refused):
            raise Permanent(f"{self._file}: {' and '.join(IDENTITY)} must be columns and equal what was asked for")
        return facts

    def check(self, as_of: datetime) -> tuple[str, ...]:
        """Run the query for a patient who does not exist and return what is wrong with it, a sentence each.

        Raises
        ------
        Transient, Permanent
            As `facts` does.
        """
        used = parameters(self._query)
        with self._asked(NOBODY, as_of) as result:
            columns = tuple(result.keys())
            answered = result.first() is not None
        problems = [f"the parameter :{name} is not used" for name in PARAMETERS if name not in used]
        problems += ["a row is returned for a patient who does not exist"] * answered
        problems += _wrong_columns(columns)
        problems += [
            f"{name} is the parameter :as_of; it must be the day on which the hospital wrote the row"
            for name in dated_by_parameter(self._query)
        ]
        return tuple(f"{self._file}: {problem}" for problem in problems)

    @contextmanager
    def _asked(self, patient: PatientKey, as_of: datetime) -> Iterator[CursorResult[Any]]:
        """Run the query; it sees no other values than these three."""
        values = {"patient_id": patient.patient_id, "issuer": patient.issuer, "as_of": as_of.astimezone(UTC)}
        with reading(self._engine, self._timeout_s, str(self._file)) as connection:
            yield connection.execute(self._query, values)


def _wrong_columns(columns: Sequence[str]) -> list[str]:
    needed = (*IDENTITY, "date") if is_tall(columns) else IDENTITY
    known, kind = (TALL_COLUMNS, "column of the tall form") if is_tall(columns) else (COLUMNS, "known fact")
    problems = [f"the column {name} is missing" for name in needed if name not in columns]
    problems += [f"the column {name} is not a {kind}" for name in dict.fromkeys(columns) if name not in known]
    return problems + [f"the column {name} is returned twice" for name, times in Counter(columns).items() if times > 1]
