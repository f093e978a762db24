"""A synthetic patient as a row of an electronic health record, with the column names of the dictionary of facts."""

from datetime import date

from models.phantom.patient import FactValue, Patient

Row = dict[str, FactValue | date]


def ehr_row(patient: Patient, recorded_on: date | None = None) -> Row:
    """Return what the hospital's database holds of a patient.

    Parameters
    ----------
    recorded_on : date, optional
        The day on which everything became known; that of the diagnosis if left out.
    """
    day = recorded_on or patient.diagnosed_on
    return {
        "patient_id": patient.patient_id,
        "issuer_of_patient_id": patient.issuer,
        "recorded_date": day,
        "diagnosis": "invasive",
        "diagnosis_date": day,
        "side": patient.side,
        "birth_date": patient.birth_date,
        "sex": "F",
        **patient.facts,
    }
