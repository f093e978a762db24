"""Fixtures of the tests of assembling."""

from pathlib import Path

import pytest

from tests.indexing import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Give an empty house."""
    return House(tmp_path / "quarantine")
