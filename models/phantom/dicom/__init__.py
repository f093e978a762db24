"""A synthetic patient's studies as DICOM datasets."""
