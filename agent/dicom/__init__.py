"""DICOM datasets and core values."""
