"""What the processes of the tree run, and the modules that the supervisor holds ready for them.

Each process is forked from the supervisor, so that one that died is back without importing anything again. That needs
a supervisor without threads: onnxruntime starts one when it is imported, so each worker imports it for itself.
"""

import gc
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Final

from agent.bootstrap.common import Stop
from agent.bootstrap.keeper import run_keeper
from agent.bootstrap.receiver import run_receiver
from agent.config import Config

Role = Callable[[Config, Stop], None]

PRELOADED: Final = ("agent.dicom.pixels", "agent.infer.prepare", "agent.record.quarantine", "agent.report.compose")
"""What workers need, without the model runtime."""
TABLES: Final = "agent.report.iod_tables"


def roles(workers: int, agent_started: datetime) -> Mapping[str, Role]:
    """Return what each process runs, by its name."""
    work: Role = partial(_work, agent_started)
    return {"receiver": run_receiver, "keeper": run_keeper, **{f"worker-{n + 1}": work for n in range(workers)}}


def preload() -> None:
    """Import and read what the processes need, and keep it out of garbage collection: its memory stays shared."""
    for name in PRELOADED:
        import_module(name)
    import_module(TABLES).read_ahead()
    gc.collect()
    gc.freeze()


def _work(agent_started: datetime, config: Config, stop: Stop) -> None:
    from agent.bootstrap.worker import run_worker

    run_worker(config, stop, agent_started=agent_started)
