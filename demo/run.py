"""The demo: a PACS, the agent, synthetic patients on their way through both, and what came back."""

import argparse
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydicom.uid import Comprehensive3DSRStorage
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agent.config import load_config
from agent.config.network import Destination
from agent.core.errors import SentinodeError
from demo import ehr
from demo.agent_process import Agent, DemoError, all_ended
from demo.checks import check
from demo.closing import Told, closing, table
from demo.deciding import Operator
from demo.outcome import PACS, Outcome, collect
from demo.pacs import OwnArchive, Pacs, PacsError, end_left_behind, start_pacs
from demo.pacs_process import LOOPBACK, ROOT
from demo.page import write_page
from demo.patients import DemoPatient, make_patients
from demo.sending import Sender
from demo.stories import STORIES, Story
from demo.validity import validated
from demo.words import DISCLAIMER

OUT: Final = ROOT / "demo" / "out"
OVERRIDES: Final = ROOT / "demo" / "overrides.yaml"
FOLDERS: Final = ("pacs", "old-archive")
GIVE_UP_AFTER_S: Final = 240.0
NOTHING_MORE_AFTER_S: Final = 15.0
ANSWERED: Final = frozenset({"done", "failed"})


@dataclass(frozen=True)
class Stage:
    """What the demo plays, and where."""

    out: Path = OUT  # emptied first
    overrides: Path = OVERRIDES
    stories: Sequence[Story] = STORIES
    pacs_kind: str = "auto"


def main(words: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 only if every patient's story holds."""
    parser = argparse.ArgumentParser(prog="demo", description="Synthetic patients in, reports back.")
    parser.add_argument(
        "--pacs", choices=("auto", "orthanc", "archive"), default="auto", help="which PACS to play with"
    )
    return play(Stage(pacs_kind=parser.parse_args(words).pacs))


def play(stage: Stage) -> int:
    """Run the demo on a stage; return 0 only if every patient's story holds."""
    console = Console() if sys.stdout.isatty() else Console(width=150)
    overrides = stage.overrides.read_text(encoding="utf-8")
    console.print(f"[bold]Sentinode demo.[/] {DISCLAIMER}")
    console.print(f"config.yaml with these overrides:\n[dim]{escape(overrides)}[/]", highlight=False)
    for folder in FOLDERS:
        end_left_behind(stage.out / folder)
    shutil.rmtree(stage.out, ignore_errors=True)
    stage.out.mkdir(parents=True)
    try:
        outcomes, pacs_kind = _play(console, stage)
    except (SentinodeError, DemoError, PacsError) as exc:
        console.print(f"[red]{escape(str(exc))}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    told = [Told(outcome, tuple(check(outcome))) for outcome in outcomes]
    return _report(console, told, write_page(stage.out, told, pacs_kind))


def _play(console: Console, stage: Stage) -> tuple[list[Outcome], str]:
    config = load_config(ROOT / "config.yaml", [stage.overrides]).config
    ours = config.dicom.ae_title, config.dicom.port
    with ExitStack() as begun:
        archives: dict[str, Pacs] = {}
        for to in config.destinations:
            archives[to.name] = _archive(stage, to, ours)
            begun.callback(archives[to.name].stop)
            console.print(f"{to.name}: {archives[to.name].kind}, {to.ae_title} on port {to.port}")
        agent, pacs = Agent(config, stage.overrides, stage.out / "agent.log"), archives[PACS]
        begun.callback(agent.stop)
        console.print(f"agent: {agent.migrate()}, {config.dicom.ae_title} on port {config.dicom.port}")
        ehr_path = Path(config.ehr.url.removeprefix("sqlite:///"))
        ehr.create(ehr_path)
        agent.start()
        patients = make_patients(stage.stories, date.today())
        ehr.load(ehr_path, [p.ehr_row for p in patients if p.ehr_row is not None])
        images = sum(len(p.sent) for p in patients)
        console.print(f"{len(patients)} synthetic patients with {images} images, all of them made just now")
        _through(console, pacs, agent, patients)
        return validated(collect(archives, agent, patients, stage.out)), pacs.kind


def _archive(stage: Stage, to: Destination, agent: tuple[str, int]) -> Pacs:
    """Start the archive behind a destination: the PACS, or one that is too old for Comprehensive 3D SR."""
    if to.name == PACS:
        return start_pacs(stage.out / FOLDERS[0], to.ae_title, to.port, agent, kind=stage.pacs_kind)
    peers = {agent[0]: (LOOPBACK, agent[1])}
    old = OwnArchive(stage.out / FOLDERS[1], to.ae_title, to.port, peers, refuse=[Comprehensive3DSRStorage])
    old.start()
    return old


def _through(console: Console, pacs: Pacs, agent: Agent, patients: Sequence[DemoPatient]) -> None:
    """Send everything, and watch until nothing is under way or time is over.

    It is over when every version that must come has ended, or some did not come for a while in which nothing happened.
    """
    sender = Sender(pacs, agent)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TextColumn("{task.fields[now]}"), TimeElapsedColumn(), console=console) as bar:
        sending = bar.add_task("the PACS routes images to the agent", total=len(patients), now="patients")
        results = bar.add_task("results in the PACS", total=sum(p.expected.total for p in patients), now="")
        sender.send(patients, lambda _: bar.advance(sending))
        waiting, operator = [patient for patient in patients if patient.has_second_act], Operator(agent, patients)
        versions = sum(len(p.expected.versions) + p.expected.cases_apart for p in patients)
        busy_until, deadline = time.monotonic(), time.monotonic() + GIVE_UP_AFTER_S
        while time.monotonic() < deadline:
            agent.check_alive()
            cases = agent.cases()
            states = Counter(str(case["state"]) for case in cases)
            bar.update(results, completed=_confirmed(agent), now=", ".join(f"{n} {s}" for s, n in states.items()))
            answered = {(case["issuer"], case["patient_id"]) for case in cases if case["state"] in ANSWERED}
            for patient in [p for p in waiting if answered & set(p.keys)]:
                waiting.remove(patient)
                sender.begin_second_act(patient)
            operator.look(cases)
            if waiting or not operator.has_nothing_left or not _is_idle(agent, patients, cases):
                busy_until = time.monotonic()
            elif len(cases) >= versions or time.monotonic() - busy_until > NOTHING_MORE_AFTER_S:
                break
            time.sleep(0.5)


def _confirmed(agent: Agent) -> int:
    return agent.outbox().get(f"{PACS}: confirmed", 0)


def _is_idle(agent: Agent, patients: Sequence[DemoPatient], cases: Sequence[dict[str, Any]]) -> bool:
    """Whether every image was taken in, and nothing is under way."""
    ends = agent.ends()
    return all(uid in ends for patient in patients for uid in patient.sent) and all_ended(cases)


def _report(console: Console, told: Sequence[Told], page: Path) -> int:
    """Print the table, the problems and the closing JSON line; return the exit code."""
    console.print(table(told))
    for one in told:
        for problem in one.problems:
            patient = one.outcome.patient
            console.print(f"[red]{escape(f'{patient.folder} ({patient.story.title}): {problem}')}[/]", highlight=False)
    console.print(f"look at {page.relative_to(ROOT) if page.is_relative_to(ROOT) else page}")
    print(closing(told), flush=True)
    return 1 if any(one.problems for one in told) else 0
