"""A file system so small that it is soon full."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import program

__all__ = ["fill", "tmpfs"]


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a file system of 3 MiB, skipping the test where none may be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    command = [program("mount"), "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    yield place
    subprocess.run([program("umount"), "-l", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Write a file until no more goes."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
