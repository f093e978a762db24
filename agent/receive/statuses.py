"""The DIMSE statuses that the receiver answers with."""

from typing import Final

SUCCESS: Final = 0x0000
NO_SUCH_EVENT_TYPE: Final = 0x0113  # PS3.7 section 10.1.1.1.8
NO_SUCH_SOP_CLASS: Final = 0x0118  # PS3.7 section C.4.12
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122  # PS3.7 section C.4.18
NOT_AUTHORIZED: Final = 0x0124  # PS3.7 section C.4.20
UNRECOGNIZED_OPERATION: Final = 0x0211  # PS3.7 section C.5.23
RESOURCE_LIMITATION: Final = 0x0213  # PS3.7 section C.5.20
OUT_OF_RESOURCES: Final = 0xA700  # PS3.4 table B.2-1
CANNOT_UNDERSTAND: Final = 0xC000  # PS3.4 table B.2-1
