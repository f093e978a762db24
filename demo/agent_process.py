"""The agent under demonstration: served by its command line as an admin would, looked at through its own views."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.bootstrap import inspect
from agent.config import Config
from agent.operate.status import to_json
from demo.pacs_process import ROOT
from demo.tethered import tethered

ENDED = frozenset({"done", "dormant", "failed", "held", "closed"})
MOST_CASES = 1000


class DemoError(RuntimeError):
    """The demo cannot go on; the message says what to do."""


class Agent:
    """The agent as a process of its own.

    Parameters
    ----------
    config
        What it runs with, as loaded from config.yaml and `overrides`.
    overrides
        The file that is laid over config.yaml.
    log
        Where its log goes.
    """

    def __init__(self, config: Config, overrides: Path, log: Path) -> None:
        self.config = config
        self._overrides = overrides
        self.log = log
        self._log_file = log.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def hl7_port(self) -> int:
        """Where it takes HL7 messages. Raises DemoError where it does not."""
        if self.config.hl7 is None:
            raise DemoError("the agent takes no HL7 messages: its configuration has no section hl7")
        return self.config.hl7.port

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "agent", *words, "--config", "config.yaml", "--overrides", str(self._overrides)]

    def migrate(self) -> str:
        """Make its database; return what the command printed."""
        return self._run("migrate")

    def _run(self, *words: str) -> str:
        done = subprocess.run(self._command(*words), cwd=ROOT, capture_output=True, text=True)  # noqa: S603 our own
        if done.returncode:
            raise DemoError(done.stderr.strip())
        return done.stdout.strip()

    def start(self) -> None:
        """Start serving."""
        self._process = subprocess.Popen(  # noqa: S603 our own
            tethered(self._command("serve")),
            cwd=ROOT,
            stdout=self._log_file,
            stderr=self._log_file,
            start_new_session=True,
        )

    def check_alive(self) -> None:
        """Raise DemoError if the agent has ended."""
        if self._process is not None and self._process.poll() is not None:
            tail = self.log.read_text(encoding="utf-8").strip().splitlines()[-3:]
            raise DemoError("the agent ended: " + "\n".join(tail))

    def cases(self) -> list[dict[str, Any]]:
        """Every version of every case, the newest first, as `sentinode cases --json` prints them."""
        lines: list[dict[str, Any]] = to_json(inspect.list_cases(self.config, None, MOST_CASES))
        return lines

    def story(self, case_id: int) -> dict[str, Any]:
        """One version's whole story, as `sentinode cases show --json` prints it."""
        story: dict[str, Any] = to_json(inspect.case_story(self.config, case_id))
        return story

    def resolve(self, case_id: int, ruling: str, about: str, by: str) -> str:
        """Decide everything that a case is held for; return what the command printed."""
        meant = ("--about", about) if about else ()
        return self._run("resolve", str(case_id), f"--{ruling}", "--all", *meant, "--by", by)

    def outbox(self) -> dict[str, int]:
        """Objects by "destination: status"."""
        return dict(inspect.overview(self.config).outbox)

    def ends(self) -> dict[str, tuple[str, str]]:
        """What became of every received object, by SOP Instance UID: its end and the reason."""
        with closing(inspect.open_store(self.config)) as store, store.unit() as unit:
            return {a.sop_instance_uid: (a.end.value, a.reason) for a in unit.arrivals()}

    def stop(self) -> None:
        """SIGTERM, and after its time SIGKILL of the whole tree."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._log_file.close()


def all_ended(cases: Sequence[dict[str, Any]]) -> bool:
    """Whether nothing is under way."""
    return all(case["state"] in ENDED for case in cases)
