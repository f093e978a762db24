"""DICOM as a client. Importing it stops pynetdicom from logging identifiers, which are patient data."""

from pynetdicom import _config

_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
