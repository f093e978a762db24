"""The demo: a PACS, the agent, synthetic patients on their way through both, and what came back."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmwrite
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agent.config import load_config
from demo import ehr
from demo.pacs import Pacs, PacsError, end_left_behind, start_pacs
from demo.page import DISCLAIMER, HEADINGS, Shown, write_page
from demo.patients import DemoPatient, demo_patients
from demo.tethered import tethered

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo" / "out"
OVERRIDES = ROOT / "demo" / "overrides.yaml"
KINDS = {
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",
    "1.2.840.10008.5.1.4.1.1.88.33": "sr",
    "1.2.840.10008.5.1.4.1.1.88.22": "text_sr",
    "1.2.840.10008.5.1.4.1.1.7": "secondary_capture",
}
GIVE_UP_AFTER_S = 180.0


class DemoError(RuntimeError):
    """The demo cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Outcome:
    """What one patient's images led to."""

    patient: DemoPatient
    cases: list[dict[str, Any]]
    files: tuple[Path, ...]
    found: Counter[str]

    @property
    def as_expected(self) -> bool:
        """Whether exactly the expected objects arrived."""
        wanted = self.patient.expected
        counts = (self.found["sr"], self.found["text_sr"], self.found["secondary_capture"])
        return counts == (wanted.sr, wanted.text_sr, wanted.secondary_capture)


class Agent:
    """The agent under test, run by its command line as an admin would."""

    def __init__(self) -> None:
        self._log = (OUT / "agent.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> list[str]:
        """Return the command line for `sentinode` on the demo's configuration."""
        return [sys.executable, "-m", "agent", *words, "--config", "config.yaml", "--overrides", str(OVERRIDES)]

    def call(self, *words: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True)  # noqa: S603 our own
        if done.returncode:
            raise DemoError(done.stderr.strip())
        return done.stdout

    def start(self) -> None:
        """Start serving."""
        self._process = subprocess.Popen(  # noqa: S603 our own
            tethered(self.command("serve")),
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def check_alive(self) -> None:
        """Raise DemoError if the agent has ended."""
        if self._process is not None and self._process.poll() is not None:
            tail = (OUT / "agent.log").read_text(encoding="utf-8").strip().splitlines()[-3:]
            raise DemoError("the agent ended: " + "\n".join(tail))

    def stop(self) -> None:
        """SIGTERM, and after its time SIGKILL of the whole tree."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()


def main() -> int:
    """Run the demo; return 0 only if every expected result arrived."""
    console = Console() if sys.stdout.isatty() else Console(width=130)
    console.print(f"[bold]Sentinode demo.[/] {DISCLAIMER}")
    console.print(f"config.yaml with these overrides:\n[dim]{OVERRIDES.read_text(encoding='utf-8')}[/]")
    end_left_behind(OUT / "pacs")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    try:
        return _run(console)
    except (DemoError, PacsError) as exc:
        console.print(f"[red]{exc}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130


def _run(console: Console) -> int:
    config = load_config(ROOT / "config.yaml", [OVERRIDES]).config
    patients = demo_patients(date.today())
    destination = config.destinations[0]
    agent = Agent()
    pacs = start_pacs(OUT / "pacs", destination.ae_title, destination.port, (config.dicom.ae_title, config.dicom.port))
    try:
        console.print(f"PACS: {pacs.kind}, {destination.ae_title} on port {destination.port}")
        ehr_path = Path(config.ehr.url.removeprefix("sqlite:///"))
        ehr.create(ehr_path)
        ehr.load(ehr_path, [p.ehr_row for p in patients])
        console.print(f"agent: {agent.call('migrate').strip()}, EHR with {len(patients)} patients")
        agent.start()
        sent = _send(console, pacs, agent, config.dicom.ae_title, patients)
        outcomes = _wait(console, pacs, agent, patients)
        status = json.loads(agent.call("status", "--json"))
    finally:
        agent.stop()
        pacs.stop()
    return _report(console, outcomes, status, sent)


def _send(console: Console, pacs: Pacs, agent: Agent, ae_title: str, patients: Sequence[DemoPatient]) -> int:
    """Store each study in the PACS and let it route it to the agent; return how many objects were sent."""
    console.print("the PACS receives the mammograms and routes them to the agent ...")
    sent = 0
    for patient in patients:
        pacs.store([_part10(ds) for ds in patient.images])
        for study in dict.fromkeys(str(ds.StudyInstanceUID) for ds in patient.images):
            _route(pacs, agent, study, ae_title)
        sent += len(patient.images)
    return sent


def _route(pacs: Pacs, agent: Agent, study: str, ae_title: str) -> None:
    """Route one study; at the start the agent may still be coming up."""
    deadline = time.monotonic() + 30
    while True:
        agent.check_alive()
        try:
            pacs.route(study, ae_title)
        except OSError:
            if time.monotonic() > deadline:
                raise DemoError("the agent does not take images; see demo/out/agent.log") from None
            time.sleep(0.5)
        else:
            return


def _part10(ds: Any) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _wait(console: Console, pacs: Pacs, agent: Agent, patients: Sequence[DemoPatient]) -> list[Outcome]:
    """Watch until every expected object is in the PACS and no case is under way."""
    total = sum(p.expected.total for p in patients)
    ours = {str(ds.SOPInstanceUID) for p in patients for ds in p.images}
    bar = Progress(
        TextColumn("results in the PACS"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
    )  # fmt: skip
    deadline = time.monotonic() + GIVE_UP_AFTER_S
    with bar:
        task = bar.add_task("", total=total)
        while time.monotonic() < deadline:
            agent.check_alive()
            cases = json.loads(agent.call("cases", "--json"))
            back = [i for i in pacs.instances() if i[1] not in ours]
            states = Counter(case["state"] for case in cases)
            bar.update(task, completed=len(back), description=", ".join(f"{n} {s}" for s, n in states.items()))
            if len(cases) >= len(patients) and set(states) <= {"done", "dormant", "failed", "held"}:
                break
            time.sleep(0.5)
    return [_outcome(pacs, p, cases) for p in patients]


def _outcome(pacs: Pacs, patient: DemoPatient, cases: Sequence[dict[str, Any]]) -> Outcome:
    studies = {str(ds.StudyInstanceUID) for ds in patient.images}
    sent = {str(ds.SOPInstanceUID) for ds in patient.images}
    folder = OUT / patient.patient_id
    folder.mkdir()
    found: Counter[str] = Counter()
    files = []
    for sop_class, uid, study, _series in pacs.instances():
        if study in studies and uid not in sent:
            kind = KINDS.get(sop_class, sop_class)
            found[kind] += 1
            path = folder / f"{kind}-{found[kind]}.dcm"
            path.write_bytes(pacs.fetch(uid))
            files.append(path)
    mine = [c for c in cases if c["patient_id"] == patient.patient_id]
    return Outcome(patient, mine, tuple(sorted(files)), found)


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """One table row an axilla, or one that says why there is none."""
    patient, rows = outcome.patient.patient_id, []
    for case in outcome.cases:
        summary, seconds = case["summary"], _door_s(case)
        used = ", ".join(summary.get("modalities_used", ())) or "-"
        missing = ", ".join(summary.get("modalities_missing", ())) or "-"
        took = "-" if seconds is None else f"{seconds:.1f} s"
        for answer in summary.get("answers", ()):
            if answer.get("probability") is None:
                words = (f"no estimate: {answer['reason']}", "-")
            else:
                interval = f"{answer['low']:.1%} to {answer['high']:.1%}"
                words = (f"{answer['probability']:.1%} ({interval})", answer["category"])
            rows.append((patient, answer.get("side") or "-", used, missing, *words, took))
        if not summary.get("answers"):
            rows.append((patient, "-", used, missing, f"{case['state']}: {case['reason']}", "-", took))
    return rows


def _door_s(case: dict[str, Any]) -> float | None:
    if not case["ready_at"] or not case["sr_stored_at"]:
        return None
    moments = [datetime.fromisoformat(case[name]) for name in ("ready_at", "sr_stored_at")]
    return (moments[1] - moments[0]).total_seconds()


def _report(console: Console, outcomes: Sequence[Outcome], status: dict[str, Any], sent: int) -> int:
    """Write the page, print the table and the closing JSON line; return the exit code."""
    shown = [Shown(o.patient.patient_id, o.patient.story, tuple(_rows(o)), o.files) for o in outcomes]
    page = write_page(OUT, shown)
    table = Table(*HEADINGS)
    for patient in shown:
        for row in patient.rows:
            table.add_row(*row)
    console.print(table)
    found = sum((o.found for o in outcomes), Counter[str]())
    missing = [o.patient.patient_id for o in outcomes if not o.as_expected]
    ended = sum(status["arrivals"].get(end, 0) for end in ("collected", "not_relevant", "quarantined"))
    doors = [s for o in outcomes for c in o.cases if (s := _door_s(c)) is not None]
    for patient_id in missing:
        console.print(f"[red]{patient_id}: not what was expected arrived[/]")
    console.print(f"look at {page.relative_to(ROOT)}")
    closing = {
        "patients": len(outcomes),
        "cases": sum(len(o.cases) for o in outcomes),
        "sr": found["sr"],
        "text_sr": found["text_sr"],
        "secondary_capture": found["secondary_capture"],
        "lost": max(0, sent - ended),
        "quarantined": status["arrivals"].get("quarantined", 0),
        "door_to_pacs_s": {
            "median": round(statistics.median(doors), 2) if doors else None,
            "max": round(max(doors), 2) if doors else None,
        },
    }
    print(json.dumps(closing), flush=True)
    return 1 if missing or closing["lost"] else 0
