"""What text of others a report can repeat."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")


def is_writable(text: str) -> bool:
    """Tell whether a DICOM object can hold a text: lines, but no other control characters (PS3.5 6.1.3), in UTF-8."""
    return _CONTROL.search(text) is None
