"""What the supervisor holds ready, and that it may be forked."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.peers import ROOT

SUPERVISOR = """
import json, os, sys
import agent.cli, agent.serve, agent.bootstrap.checks
from agent.bootstrap import roles
roles.preload()
tops = lambda: {name.split('.')[0] for name in sys.modules}
threads, before = len(os.listdir('/proc/self/task')), tops()
import agent.bootstrap.worker
after = tops()
from agent.report.iod_tables import _definition
from bench import report
read = _definition.cache_info().misses
report.Composer(report.DEVICE)(*report.scene(report.sources(2, (512, 416))))
tables = [read, _definition.cache_info().misses]
print(json.dumps({"threads": threads, "before": sorted(before), "left": sorted(after - before), "tables": tables}))
"""
"""What `sentinode serve` does before it starts a process, and then what a worker does."""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What an interpreter of its own has found."""
    # numpy's OpenBLAS has threads too, but stops them before a fork
    command = ["env", "OPENBLAS_NUM_THREADS=1", sys.executable, "-c", SUPERVISOR]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    made: dict[str, Any] = json.loads(said)
    return made


def test_supervisor_has_no_other_thread(found: dict[str, Any]) -> None:
    """A child forked beside another thread may inherit a lock that nobody will open."""
    assert found["threads"] == 1


def test_model_runtime_is_not_preloaded(found: dict[str, Any]) -> None:
    """The model runtime, onnxruntime, starts a thread when it is imported."""
    assert "numpy" in found["before"]
    assert "onnxruntime" not in found["before"]


def test_the_standards_tables_are_read(found: dict[str, Any]) -> None:
    """A worker's first result, with its SRs in reserve, reads no table that the supervisor did not."""
    assert found["tables"] == [4, 4]


def test_little_is_left_for_a_worker_to_import(found: dict[str, Any]) -> None:
    """Beside the model runtime a worker finds all libraries imported."""
    assert "onnxruntime" in found["left"]
    assert not {"numpy", "pydicom", "highdicom", "sqlalchemy", "PIL", "imagecodecs", "agent"} & set(found["left"])
