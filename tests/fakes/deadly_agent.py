"""The agent with a codec that ends its process on the images of one patient, as a fault in a C library does.

`python -m tests.fakes.deadly_agent serve ...`; the patient is the one of PATIENT_NUMBER.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from agent import cli
from agent.dicom import pixels

PATIENT_NUMBER = 666


def _deadly(decode: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(decode)
    def decode_or_die(part10: bytes, *rest: Any, **named: Any) -> Any:
        if f"PH-{PATIENT_NUMBER:04d}".encode() in part10:
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(part10, *rest, **named)

    return decode_or_die


if __name__ == "__main__":
    pixels.decode = _deadly(pixels.decode)
    cli.main()
