"""Retention in a process of its own, which the fault tests kill: `python -m tests.fakes.deadly_retention DB SPOOL`."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from agent.assemble.retention import Retention
from agent.spool import KeptSpool
from agent.state import SqlStore
from tests.recycling import EPISODE, ON_DISK_BYTES


def main(url: str, folder: str) -> None:
    """Tick some rounds."""
    spool = KeptSpool(Path(folder), limit_bytes=ON_DISK_BYTES, now=lambda: datetime.now(UTC))
    with closing(SqlStore(url)) as store:
        retention = Retention(store, spool, episode=EPISODE, now=lambda: datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
        for _ in range(20):
            retention.tick()
    spool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
