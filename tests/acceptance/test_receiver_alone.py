"""The receiver needs nobody: what stands still beside it slows no acknowledgement."""

import os
import signal
import sqlite3
from contextlib import closing
from itertools import islice

from tests.acceptance.conftest import Hospital, copies
from tests.harness import wait_until

IMAGES = 12


def test_a_locked_database_and_stopped_processes_hold_up_no_acknowledgement(hospital: Hospital) -> None:
    """Keeper and worker are held, the database is locked for writing: all is acknowledged, and indexed afterwards."""
    before = {"receiver", "keeper", "worker-1"}
    wait_until(lambda: set(hospital.agent.children()) == before, 20, "the agent is not whole")
    others = [pid for role, pid in hospital.agent.children().items() if role != "receiver"]
    with closing(sqlite3.connect(hospital.folder / "state.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert hospital.send(list(islice(copies(hospital), IMAGES))) == [0] * IMAGES
            assert db.execute("SELECT count(*) FROM instance").fetchone() == (0,)
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
            db.execute("ROLLBACK")
    wait_until(lambda: len(hospital.agent.cases()) == IMAGES, 40, "the keeper has not seen all")
