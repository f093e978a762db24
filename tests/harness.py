"""The whole agent as its users run it: `sentinode serve` in a process group of its own, on files of the test's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml

from agent.bootstrap import inspect
from agent.config import Config, load_config
from agent.operate.status import to_json
from agent.state.migration import migrate
from tests.peers import ROOT
from tests.prepared import FORKS, Running


def free_port() -> int:
    """Return a TCP port that is free on loopback."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_until(condition: Callable[[], Any], seconds: float, what: str, *, every_s: float = 0.1) -> Any:
    """Wait until a condition holds and return its value. Raises AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(every_s)
    raise AssertionError(f"after {seconds} s: {what}")


class AgentProcess:
    """One installation of the agent in a folder. `changes` are overrides of config.yaml."""

    def __init__(self, folder: Path, pacs_port: int, changes: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.log_path = folder / "agent.log"
        self.ehr_path = folder / "ehr.db"
        self.overrides = folder / "overrides.yaml"
        self._process: subprocess.Popen[bytes] | Running | None = None
        self._read = b""
        content = self._defaults(pacs_port)
        for section, values in (changes or {}).items():
            content[section] = {**content.get(section, {}), **values} if isinstance(values, Mapping) else values
        self.overrides.write_text(yaml.safe_dump(content), encoding="utf-8")

    def _defaults(self, pacs_port: int) -> dict[str, Any]:
        destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs_port}
        retry = {"first_s": 0.2, "max_s": 1, "give_up_after": "10m"}
        return {
            "dicom": {"port": self.port, "accept_from": "any"},
            "storage": {
                "spool": str(self.folder / "spool"),
                "quarantine": str(self.folder / "quarantine"),
                "refuse_below_free_bytes": "64MiB",
                "spool_bytes": "1GiB",  # of smaller segments: they are written with zeros
            },
            "database": {"url": f"sqlite:///{self.folder}/state.db"},
            "ehr": {"url": f"sqlite:///{self.ehr_path}", "refresh_s": 1},
            "cases": {"quiet_s": 0.5, "expect": [], "expect_views": [], "wait_for": {}},
            "destinations": [destination | {"confirm": "read_back", "retry": retry}],
        }

    def migrate(self) -> None:
        """What `sentinode migrate` does, without starting a program for it."""
        migrate(self._config().database.url)

    def override(self, section: str, value: Any = None, **keys: Any) -> None:
        """Change the overrides: a whole section, or some of its keys. Takes effect with the next command."""
        content = yaml.safe_load(self.overrides.read_text(encoding="utf-8"))
        content[section] = content.get(section, {}) | keys if value is None else value
        self.overrides.write_text(yaml.safe_dump(content), encoding="utf-8")

    def cli(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `sentinode` with this installation's configuration."""
        options = ["--config", str(ROOT / "config.yaml"), "--overrides", str(self.overrides)]
        if FORKS:
            done = self._forked_cli([*words, *options])
        else:
            command = [sys.executable, "-m", "agent", *words, *options]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done

    def _forked_cli(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
            running = FORKS[-1].run("agent", words, out.fileno(), err.fileno(), os.environ)
            try:
                code = running.wait(60)
            finally:
                running.kill()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, code, out.read(), err.read())

    def cases(self) -> list[dict[str, Any]]:
        """What `sentinode cases --json` says, without starting a program for it."""
        made: list[dict[str, Any]] = to_json(inspect.list_cases(self._config(), None, 1000))
        return made

    def status(self) -> dict[str, Any]:
        """What `sentinode status --json` says, without starting a program for it."""
        made: dict[str, Any] = to_json(inspect.overview(self._config()))
        return made

    def _config(self) -> Config:
        """As the files stand now; read again only where the overrides changed, for who waits asks often."""
        content = self.overrides.read_bytes()
        if content != self._read:
            self._read, self._loaded = content, load_config(ROOT / "config.yaml", [self.overrides]).config
        return self._loaded

    def start(self, program: str = "agent", *, anew: bool = False, **environment: str) -> None:
        """Start serving, in a process group that a crash point may kill as a whole. `program` is the module to run.

        While pytest runs it is forked from a process that has imported everything, unless it is to start `anew`.
        """
        options = ["--config", str(ROOT / "config.yaml"), "--overrides", str(self.overrides)]
        env = os.environ | environment
        with self.log_path.open("ab") as log:
            if FORKS and not anew:
                words = ["serve", *options]
                self._process = FORKS[-1].run(program, words, log.fileno(), log.fileno(), env, session=True)
                return
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, "serve", *options],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=env,
            )

    def wait_listening(self, seconds: float = 30, *, or_dead: bool = False) -> None:
        """Wait until the port takes connections, or, where that is expected, until the agent is dead."""
        wait_until(lambda: self._listens(or_dead), seconds, "the agent does not listen")

    def _listens(self, or_dead: bool) -> bool:
        if not self.is_running:
            assert or_dead, self.log()[-4000:]
            return True
        with socket.socket() as s:
            s.settimeout(0.5)
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def is_running(self) -> bool:
        """Whether the supervisor is alive."""
        return self._process is not None and self._process.poll() is None

    def wait_dead(self, seconds: float = 30) -> int:
        """Wait until the supervisor is gone and return its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def terminate(self) -> None:
        """SIGTERM, as systemd would."""
        assert self._process is not None
        self._process.terminate()

    def stop(self, seconds: float = 40) -> int:
        """SIGTERM, and wait; return the exit code."""
        self.terminate()
        return self.wait_dead(seconds)

    def catches_sigterm(self) -> bool:
        """Whether the supervisor has come so far that SIGTERM does not simply end it."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        (caught,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def has_processes(self) -> bool:
        """Whether a process of the tree is there, were it the last."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill_supervisor(self) -> None:
        """Kill -9 of the supervisor alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def kill(self) -> None:
        """Kill -9 of the whole tree; harmless if it is gone."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self._process.wait(10)

    def children(self) -> dict[str, int]:
        """Process ids by role, as the newest log lines tell them."""
        started = (line for line in self.log_lines() if line.get("event") == "process_started")
        return {line["worker"]: line["pid"] for line in started}

    def log_lines(self) -> list[dict[str, Any]]:
        """The log, a parsed JSON object a line; other lines are left out."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]

    def log(self) -> str:
        """Everything logged so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""
