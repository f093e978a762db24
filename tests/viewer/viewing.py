"""A PACS with a viewer before it, and what a radiologist sees there: words, screenshots, and what went wrong."""

import json
import os
import re
import select
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from agent.dimse.client import PacsClient
from tests.peers import ROOT, program

PATIENCE_S: Final = 150  # a study that is not looked through by then has frozen the page
BROKEN: Final = re.compile(r"error:|PAGEERROR:|STEP |.*(TypeError|Error Boundary|Unable to generate)", re.DOTALL)
"""An error of the console or the page, a step that could not be done, OHIF's own words for a failure of any level."""


@dataclass(frozen=True)
class Step:
    """One thing to do: open a series by its number, or click on words; then `until` must stand in the viewport."""

    name: str
    thumb: int = 0
    until: str = ""
    click: str = ""
    nth: int = 0  # of several series of that number
    beneath: bool = False  # look below the controls for playing a clip, too


@dataclass(frozen=True)
class Seen:
    """What the browser showed, by step, and what went wrong; browser.mjs says what each is."""

    pages: dict[str, str]
    texts: dict[str, str]
    clipped: dict[str, list[str]]
    overrun: dict[str, list[str]]
    covered: dict[str, str]
    shots: dict[str, str]
    failed: list[str]
    outside: list[str]
    log: list[str]

    @property
    def complaints(self) -> list[str]:
        """Every line of the log that tells of a failure; OHIF writes none of its own accord, so none is excused."""
        return [line for line in self.log if BROKEN.match(line)]


@dataclass
class Browser:
    """The long-lived process that drives Chromium; it is started when first asked, and again after it froze."""

    tools: Path
    folder: Path
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)

    def look(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for one study. Raises AssertionError if no answer comes: the page froze, or the browser died."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        line = process.stdout.readline() if ready else ""
        if not line:
            self._kill()
            raise AssertionError(f"no answer of the browser: {(self.folder / 'browser.log').read_text()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it, in order if it can."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self._kill()

    def _start(self) -> "subprocess.Popen[str]":
        script = Path(__file__).with_name("browser.mjs")
        command = [program("node"), str(script), str(self.tools), program("chromium"), str(self.folder / "profile")]
        with (self.folder / "browser.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # a group of our own making: node and its Chromium
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            for pipe in filter(None, (self._process.stdin, self._process.stdout)):
                with suppress(BrokenPipeError):
                    pipe.close()
            self._process = None


@dataclass(frozen=True)
class Viewer:
    """The archive as the agent sees it, and the viewer as the radiologist does."""

    client: PacsClient
    url: str
    browser: Browser
    shots: Path

    def store(self, parts: Iterable[bytes]) -> None:
        """Send Part 10 files as the agent does; all must be taken without a warning."""
        outcomes = list(self.client.store(list(parts)))
        assert {outcome.status for outcome in outcomes} == {0x0000}

    def look(self, name: str, studies: Sequence[str], steps: Sequence[Step]) -> Seen:
        """Open studies, do the steps, and tell what was seen. Screenshots are kept under `name`."""
        address = f"{self.url}/viewer?{urlencode({'StudyInstanceUIDs': ','.join(studies)})}"
        for old in self.shots.glob(f"{name}-[0-9]*.png"):
            old.unlink()
        return Seen(
            **self.browser.look({"url": address, "out": str(self.shots / name), "steps": list(map(asdict, steps))})
        )


def tools_folder() -> Path:
    """Return where get_tools.sh put OHIF and playwright-core."""
    return Path(os.environ.get("SENTINODE_VIEWER_TOOLS", ROOT / "build" / "viewer"))


def shots_folder() -> Path:
    """Return where screenshots stay."""
    return Path(os.environ.get("SENTINODE_SHOTS", tools_folder() / "shots"))
