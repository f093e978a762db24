"""Synthetic patients whose best possible AUC is known: facts, images, DICOM studies and EHR rows from one seed."""

from models.phantom.dicom.mammography import mammography
from models.phantom.dicom.mri import mri_study
from models.phantom.dicom.ultrasound import ultrasound_study
from models.phantom.ehr import ehr_row
from models.phantom.latents import OUTCOME, Axilla, Biology
from models.phantom.patient import ISSUER, Patient, patient

__all__ = [
    "ISSUER",
    "OUTCOME",
    "Axilla",
    "Biology",
    "Patient",
    "ehr_row",
    "mammography",
    "mri_study",
    "patient",
    "ultrasound_study",
]
