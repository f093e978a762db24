"""Every real DICOM file goes to the running agent; each reaches a named end with its reason, and nothing dies."""

import csv
import subprocess
from pathlib import Path

import pytest

from agent.spool import SpoolReader
from tests.acceptance.conftest import Hospital
from tests.harness import wait_until
from tests.peers import program, shared
from tests.senders import send_raw, split

ENDS = {"collected", "not_relevant", "own", "duplicate", "quarantined"}


def inventory() -> list[Path]:
    """The files that the inventory lists under dicom/."""
    with (shared("DICOM_INVENTORY.csv") if False else shared("data", "DICOM_INVENTORY.csv")).open() as f:
        names = [row["file"] for row in csv.DictReader(f) if row["file"].startswith("dicom/")]
    return [shared("data", *name.split("/")) for name in names]
