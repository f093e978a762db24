"""DICOM as values: datasets to core values and back, pixels, every UID minted, every coded concept."""
