"""Synthetic patients whose best possible AUC is known: facts, mammograms, DICOM and EHR rows from one seed."""

from models.phantom.dicom import mammography
from models.phantom.ehr import ehr_row
from models.phantom.latents import OUTCOME, Axilla, Biology
from models.phantom.patient import ISSUER, Patient, patient

__all__ = ["ISSUER", "OUTCOME", "Axilla", "Biology", "Patient", "ehr_row", "mammography", "patient"]
