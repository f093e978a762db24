"""DICOM as a client. Importing it stops pynetdicom from logging identifiers, which are patient data."""

from typing import Final

from pynetdicom import _config

_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

STORAGE_COMMITMENT_PUSH: Final = "1.2.840.10008.1.20.1"
