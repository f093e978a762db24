"""The hospital's clinical database as a source of facts: one named query, bound parameters, never a write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import CursorResult

from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent
from agent.core.facts import COLUMNS, IDENTITY, known_by, parse_row
from agent.core.patient import PatientKey
from agent.ehr.connect import read_only_engine, reading
from agent.ehr.query import PARAMETERS, clinical_query, parameters

NOBODY: Final = PatientKey("sentinode check-config", "sentinode nobody")
"""A patient whom no hospital has."""


class EhrSource:
    """Asks the clinical database with a query that the site may edit; satisfies `ClinicalSource`.

    Parameters
    ----------
    url
        SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://user@host/database`.
    query_file
        SQL with the bound parameters :patient_id, :issuer and :as_of, returning at most one row whose columns are
        facts.
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
            If the query is wrong, or its answer is not this one patient's row.
        """
        if not (patient.patient_id.isprintable() and patient.issuer.isprintable()):
            return None  # no hospital has such an identity, and some databases cannot be asked for it
        with self._asked(patient, as_of) as result:
            rows: list[Mapping[str, object]] = [dict(row) for row in result.mappings().fetchmany(2)]
        if not rows:
            return None
        if len(rows) > 1:
            raise Permanent(f"{self._file}: more than one row for a patient")
        facts = parse_row(rows[0], patient)
        if any(refusal.name in IDENTITY for refusal in facts.refused):
            raise Permanent(f"{self._file}: {' and '.join(IDENTITY)} must be columns and equal what was asked for")
        return known_by(facts, as_of.astimezone(UTC).date())

    def check(self, as_of: datetime) -> tuple[str, ...]:
        """Run the query for a patient who does not exist and return what is wrong with it, a sentence each.

        Raises
        ------
        Transient, Permanent
            As `facts` does.
        """
        unused = [name for name in PARAMETERS if name not in parameters(self._query)]
        with self._asked(NOBODY, as_of) as result:
            columns = tuple(result.keys())
            answered = result.first() is not None
        problems = [f"the parameter :{name} is not used" for name in unused]
        problems += ["a row is returned for a patient who does not exist"] * answered
        problems += [f"the column {name} is missing" for name in IDENTITY if name not in columns]
        problems += [f"the column {name} is not a known fact" for name in columns if name not in COLUMNS]
        return tuple(f"{self._file}: {problem}" for problem in problems)

    @contextmanager
    def _asked(self, patient: PatientKey, as_of: datetime) -> Iterator[CursorResult[Any]]:
        """Run the query; it sees no other values than these three."""
        values = {"patient_id": patient.patient_id, "issuer": patient.issuer, "as_of": as_of.astimezone(UTC)}
        with reading(self._engine, self._timeout_s, str(self._file)) as connection:
            yield connection.execute(self._query, values)
