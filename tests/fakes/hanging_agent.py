"""The agent with a worker that is stuck with the images of one patient, as by a loop in a C library; short leases.

`python -m tests.fakes.hanging_agent serve ...`; the patient is the one of PATIENT_NUMBER.
"""

import ctypes
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

from agent import cli
from agent.bootstrap import roles
from agent.bootstrap.common import Stop
from agent.config import Config
from agent.dicom.decoding import Decoder

PATIENT_NUMBER: Final = 777
LEASE: Final = timedelta(seconds=4)

_HOLDING_THE_INTERPRETER: Final = ctypes.PyDLL(None)  # as CDLL, but no other thread gets a turn during a call


def _hanging(decode: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(decode)
    def decode_or_hang(decoder: Decoder, part10: bytes) -> Any:
        while f"PH-{PATIENT_NUMBER:04d}".encode() in part10:
            _HOLDING_THE_INTERPRETER.sleep(3600)
        return decode(decoder, part10)

    return decode_or_hang


def _work(agent_started: datetime, config: Config, stop: Stop) -> None:
    from agent.bootstrap import worker  # only in the worker's process, as in `agent.bootstrap.roles`

    worker.LEASE = LEASE  # type: ignore[misc]  # final, but for this test
    worker.run_worker(config, stop, agent_started=agent_started)


if __name__ == "__main__":
    Decoder.decode = _hanging(Decoder.decode)  # type: ignore[method-assign]
    roles._work = _work
    cli.main()
