"""Programs and data that tests can use when they are on the machine; without them the test skips, visibly."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SENTINODE_SHARED", ROOT.parent / "shared"))
SYSTEM_PATH = "/usr/bin:/usr/sbin:/bin:/usr/local/bin"


def program(name: str) -> str:
    """Return the path of a system program, skipping the test if there is none.

    The virtual environment's own scripts are not looked at: pynetdicom installs a storescu of its own.
    """
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def shared(*parts: str) -> Path:
    """Return a path below the shared real data, skipping the test if it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared/{'/'.join(parts)} is not here")
    return path
