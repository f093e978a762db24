"""Forked children end with their parent, and tell what the checks found."""

import json
import subprocess
import sys
from pathlib import Path

from tests.harness import wait_until
from tests.peers import ROOT

OUTLIVE = """
import os, signal, sys, time
from agent.bootstrap.process import fork
child = fork("child", time.sleep, 60)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

DIE_IN_CHECKS = """
import os, signal
from pathlib import Path
from agent.bootstrap import checks
from agent.bootstrap.common import Stop
from agent.config import ConfigError, load_config
checks._problems = lambda config: os.kill(os.getpid(), signal.SIGSEGV)
try:
    checks.refuse_to_start(load_config(Path("config.yaml"), []), Stop())
except ConfigError as error:
    print(error)
"""

FAIL_IN_CHECKS = """
from pathlib import Path
from agent.bootstrap import checks
from agent.bootstrap.common import Stop
from agent.config import ConfigError, load_config
def fail(config):
    raise LookupError("Doe^Jane")
checks._problems = fail
try:
    checks.refuse_to_start(load_config(Path("config.yaml"), []), Stop())
except ConfigError as error:
    print(error)
"""

STOP_IN_CHECKS = """
import time
from pathlib import Path
from agent.bootstrap import checks
from agent.bootstrap.common import Stop
from agent.config import load_config
checks._problems = lambda config: time.sleep(60)
checks._port = checks._spool = lambda config: []
stop = Stop()
stop.request()
begun = time.monotonic()
checks.refuse_to_start(load_config(Path("config.yaml"), []), stop)
print(time.monotonic() - begun < 30)
"""


def run(code: str) -> str:
    """Run code in an interpreter of its own and return what it prints."""
    return run_apart(code).stdout.strip()


def run_apart(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody waited for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_child_ends_with_its_parent() -> None:
    """The kernel kills it when the process that forked it is killed."""
    pid = int(run(OUTLIVE))
    assert wait_until(lambda: not is_alive(pid), 30, "the child outlived its parent")


def test_checks_that_die_are_one_clear_error() -> None:
    """A model runtime that crashes on a bundle ends the start with a sentence."""
    assert run(DIE_IN_CHECKS) == "the checks ended with exit code -11"


def test_checks_that_fail_unexpectedly_quote_nothing() -> None:
    """The error is logged by its class and place; its text might hold a row of a database."""
    done = run_apart(FAIL_IN_CHECKS)
    assert done.stdout.strip() == "the checks ended with exit code 1"
    (line,) = done.stderr.strip().splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["process"], logged["error"]) == ("process_failed", "checks", "LookupError")
    assert logged["where"][-1].endswith(":fail")
    assert "Doe" not in done.stdout + done.stderr


def test_stop_ends_the_checks() -> None:
    """A stop that is requested while a check hangs is not held up by it."""
    assert run(STOP_IN_CHECKS) == "True"
