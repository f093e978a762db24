"""A spool folder with small segments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.spool import SpoolWriter
from tests.fakes.spool import NOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a spool that does not exist yet."""
    return tmp_path / "spool"


@pytest.fixture
def open_writer(folder: Path) -> Callable[..., SpoolWriter]:
    """Give a maker of writers on that folder, with segments of 64 KiB."""

    def open_(**changes: Any) -> SpoolWriter:
        settings: dict[str, Any] = {
            "limit_bytes": 1 << 24,
            "refuse_below_free_bytes": 0,
            "segment_bytes": 1 << 16,
            "keep_spare": False,
            "free_is_fresh_s": 0,
            "now": lambda: NOW,
        }
        return SpoolWriter(folder, **(settings | changes))

    return open_
