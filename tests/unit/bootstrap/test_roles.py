"""What the supervisor holds ready, and that it may be forked."""

import subprocess
import sys

from tests.peers import ROOT

PREPARE = "import agent.cli, agent.serve, agent.bootstrap.checks\nfrom agent.bootstrap import roles\nroles.preload()\n"


def run(code: str) -> str:
    """Run code behind what `sentinode serve` does before it starts a process; return what it prints."""
    # numpy's OpenBLAS has threads too, but stops them before a fork
    command = ["env", "OPENBLAS_NUM_THREADS=1", sys.executable, "-c", PREPARE + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_supervisor_has_no_other_thread() -> None:
    """A child forked beside another thread may inherit a lock that nobody will open."""
    assert run("import os; print(len(os.listdir('/proc/self/task')))") == "1"


def test_model_runtime_is_not_preloaded() -> None:
    """The model runtime, onnxruntime, starts a thread when it is imported."""
    assert run("import sys; print('onnxruntime' in sys.modules)") == "False"


def test_the_standards_tables_are_read() -> None:
    """A worker's first result, with its SRs in reserve, reads no table that the supervisor did not."""
    compose = (
        "from agent.report.iod_tables import _definition; from bench import report\n"
        "read = _definition.cache_info().misses; given = report.scene(report.sources(2, (512, 416)))\n"
        "report.Composer(report.DEVICE)(*given); print(read, _definition.cache_info().misses)"
    )
    assert run(compose) == "4 4"


def test_little_is_left_for_a_worker_to_import() -> None:
    """Beside the model runtime a worker finds all libraries imported."""
    tops = "{m.split('.')[0] for m in sys.modules}"
    left = run(f"import sys; had = {tops}; import agent.bootstrap.worker; print(*sorted({tops} - had))").split()
    assert "onnxruntime" in left
    assert not {"numpy", "pydicom", "highdicom", "sqlalchemy", "PIL", "imagecodecs", "agent"} & set(left)
