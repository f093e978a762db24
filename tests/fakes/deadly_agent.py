"""The agent with a worker that dies on the images of one patient, as by a fault in a C library.

`python -m tests.fakes.deadly_agent serve ...`; the patient is the one of PATIENT_NUMBER.
"""

import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from agent import cli
from agent.dicom.decoding import Decoder

PATIENT_NUMBER = 666


def _deadly(decode: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(decode)
    def decode_or_die(decoder: Decoder, part10: bytes) -> Any:
        if f"PH-{PATIENT_NUMBER:04d}".encode() in part10:
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(decoder, part10)

    return decode_or_die


if __name__ == "__main__":
    Decoder.decode = _deadly(Decoder.decode)  # type: ignore[method-assign]
    cli.main()
