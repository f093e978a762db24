"""A receiver on a free port, its spool, and what it wrote."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agent.receive import Hl7Listener, Hl7Settings, Receiver
from agent.receive.journal import Journal
from agent.spool import Disk as SpoolDisk
from agent.spool import SpoolWriter
from tests.hl7_listeners import NOW, RULES, Disk, Listening
from tests.receivers import SETTINGS, Running
from tests.small_disk import tmpfs

__all__ = ["tmpfs"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Give a starter of receivers: settings by name, `spool` for the writer's (`sync` for its disk's), `folder`."""
    with ExitStack() as stack:

        def start_(*, spool: dict[str, Any] | None = None, folder: Path | None = None, **settings: Any) -> Running:
            place = folder or tmp_path / "spool"
            chosen: dict[str, Any] = {
                "limit_bytes": 1 << 30,
                "refuse_below_free_bytes": 0,
                "free_is_fresh_s": 0,
                "segment_bytes": 1 << 20,
                "now": lambda: datetime.now(UTC),
            }
            changes = dict(spool or {})
            if "sync" in changes:
                changes["disk"] = SpoolDisk(fdatasync=changes.pop("sync"), dsync=0)
            writer = SpoolWriter(place, **(chosen | changes))
            stack.callback(writer.close)
            receiver = Receiver(replace(SETTINGS, **settings), writer)
            receiver.start()
            stack.callback(receiver.stop, 5)
            return Running(receiver, writer, place)

        yield start_


@pytest.fixture
def start_hl7(tmp_path: Path) -> Iterator[Callable[..., Listening]]:
    """Give a starter of listeners: settings by name."""
    with ExitStack() as stack:

        def start_(**settings: Any) -> Listening:
            disk = Disk()
            writer = SpoolWriter(
                tmp_path / "spool",
                limit_bytes=1 << 30,
                refuse_below_free_bytes=0,
                segment_bytes=1 << 22,
                now=lambda: NOW,
                disk=SpoolDisk(fdatasync=disk.sync, dsync=0),
            )
            stack.callback(writer.close)
            listener = Hl7Listener(
                Hl7Settings(port=0, **({"rules": RULES} | settings)), Journal(writer, UUID(int=7)), lambda: NOW
            )
            listener.start()
            stack.callback(listener.stop, 5)
            return Listening(listener, tmp_path / "spool", disk)

        yield start_
