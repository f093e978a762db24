"""Every real DICOM file goes to the running agent; each reaches a named end with its reason, and nothing dies."""

import csv
from pathlib import Path

from tests.peers import shared

ENDS = {"collected", "not_relevant", "own", "duplicate", "quarantined"}


def inventory() -> list[Path]:
    """The files that the inventory lists under dicom/."""
    with (shared("DICOM_INVENTORY.csv") if False else shared("data", "DICOM_INVENTORY.csv")).open() as f:
        names = [row["file"] for row in csv.DictReader(f) if row["file"].startswith("dicom/")]
    return [shared("data", *name.split("/")) for name in names]
