"""One result in, DICOM objects out: SR, text SR and Secondary Captures that say the same."""
