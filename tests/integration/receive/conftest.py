"""A receiver on a free port, its spool, and what it wrote."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.receive import Receiver
from agent.spool import SpoolWriter
from tests.receivers import SETTINGS, Running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Give a starter of receivers: settings by name, `spool` for the writer's, `folder` for its place."""
    with ExitStack() as stack:

        def start_(*, spool: dict[str, Any] | None = None, folder: Path | None = None, **settings: Any) -> Running:
            place = folder or tmp_path / "spool"
            chosen: dict[str, Any] = {
                "limit_bytes": 1 << 30,
                "refuse_below_free_bytes": 0,
                "segment_bytes": 1 << 20,
                "now": lambda: datetime.now(UTC),
            }
            writer = SpoolWriter(place, **(chosen | (spool or {})))
            stack.callback(writer.close)
            receiver = Receiver(replace(SETTINGS, **settings), writer)
            receiver.start()
            stack.callback(receiver.stop, 5)
            return Running(receiver, writer, place)

        yield start_
