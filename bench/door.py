"""A real agent between a modality and an archive on loopback: how long from a complete case to its report there."""

import statistics
import tempfile
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset

from agent.dimse.client import PacsClient
from demo import ehr
from demo.archive import Archive
from models import phantom
from tests.harness import AgentProcess, wait_until

ENDED: Final = frozenset({"done", "failed", "held", "closed", "dormant"})
DRAWN: Final = 4
VIEWS: Final = tuple((side, view) for side in "LR" for view in ("CC", "MLO"))


def door_to_pacs(patients: int, full: tuple[int, int]) -> float:
    """Return the median over patients, in seconds, after one that is not counted, who warms the worker.

    Each has cancer on both sides and four mammograms of `full` rows and columns.
    """
    with tempfile.TemporaryDirectory(prefix="sentinode-bench-") as made, Archive("PACS", Path(made) / "pacs") as pacs:
        agent = AgentProcess(Path(made), pacs.port)
        ehr.create(agent.ehr_path)
        agent.migrate()
        agent.start()
        try:
            agent.wait_listening()
            took = [_patient(agent, number, full) for number in range(patients + 1)]
        finally:
            agent.kill()
    return statistics.median(took[1:])


def _patient(agent: AgentProcess, number: int, full: tuple[int, int]) -> float:
    today = date.today()
    who = phantom.patient(number, f"PH-{number:04d}", sides=("L", "R"), diagnosed_on=today - timedelta(days=10))
    ehr.load(agent.ehr_path, [phantom.ehr_row(who)])
    rows, columns = (size // DRAWN for size in full)
    views = phantom.mammography(who, today - timedelta(days=3), views=VIEWS, rows=rows, columns=columns)
    client = PacsClient("MODALITY", "SENTINODE", "127.0.0.1", agent.port)
    if any(outcome.status for outcome in client.store([_part10(_enlarged(ds)) for ds in views])):
        raise SystemExit("the agent did not take an image")
    case = wait_until(lambda: _ended(agent, number + 1), 120, "no answer")
    if case["state"] != "done":
        raise SystemExit(f"the case is {case['state']}: {case['reason']}")
    ready, stored = (datetime.fromisoformat(case[name]) for name in ("ready_at", "sr_stored_at"))
    return (stored - ready).total_seconds()


def _ended(agent: AgentProcess, count: int) -> dict[str, Any] | None:
    """Return the newest case once there are so many and all have ended."""
    cases = agent.cases()
    return cases[0] if len(cases) == count and all(case["state"] in ENDED for case in cases) else None


def _enlarged(ds: Dataset) -> Dataset:
    """Repeat pixels: drawing all of them would take longer than the agent does."""
    drawn = np.frombuffer(ds.PixelData, np.uint16).reshape(ds.Rows, ds.Columns)
    ds.PixelData = drawn.repeat(DRAWN, 0).repeat(DRAWN, 1).tobytes()
    ds.Rows, ds.Columns = ds.Rows * DRAWN, ds.Columns * DRAWN
    ds.ImagerPixelSpacing = ds.PixelSpacing = [float(size) / DRAWN for size in ds.PixelSpacing]
    return ds


def _part10(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()
