"""A hospital's clinical database in memory. It and the real one pass one contract test."""

from collections.abc import Mapping
from datetime import UTC, datetime

from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent, Transient
from agent.core.fact_rows import read_answer
from agent.core.patient import PatientKey


class FakeClinical:
    """Satisfies `ClinicalSource`. Set `away` or `wrong` and it fails as a database or a query would."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.asked: list[PatientKey] = []
        self.away = False
        self.wrong = False

    def know(self, patient: PatientKey, recorded_date: str, **columns: object) -> None:
        """Add a row; one for the same patient is replaced."""
        identity = {"patient_id": patient.patient_id, "issuer_of_patient_id": patient.issuer}
        self.rows = [row for row in self.rows if not _is_of(row, patient)]
        self.rows.append({**identity, "recorded_date": recorded_date, **columns})

    def facts(self, patient: PatientKey, as_of: datetime) -> ClinicalFacts | None:
        """Return what is known of a patient."""
        self.asked.append(patient)
        if self.away:
            raise Transient("the clinical database cannot be asked")
        if self.wrong:
            raise Permanent("clinical_facts.sql: the clinical database refuses the query")
        return read_answer([row for row in self.rows if _is_of(row, patient)], patient, as_of.astimezone(UTC).date())


def _is_of(row: Mapping[str, object], patient: PatientKey) -> bool:
    return (row["patient_id"], row["issuer_of_patient_id"]) == (patient.patient_id, patient.issuer)
