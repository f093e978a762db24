"""What became of each patient: her cases as the agent tells them, and her results as they lie in the PACS."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydicom import dcmread
from pydicom.dataset import Dataset

from agent.core.patient import SPLIT
from demo.agent_process import Agent
from demo.pacs import Pacs
from demo.patients import DemoPatient

Row = Mapping[str, Any]
PACS: Final = "demo-pacs"
"""The destination that the images come from; every other archive gets a copy of the reports."""


@dataclass(frozen=True)
class Arrived:
    """One result object, fetched from the PACS."""

    role: str  # "sr:L", "sr:L:comprehensive", "text_sr", "secondary_capture:L:1"
    uid: str
    ds: Dataset
    path: Path

    @property
    def kind(self) -> str:
        """sr, text_sr, secondary_capture, ... as `agent.core.result.Kind` has them."""
        return self.role.split(":")[0]


@dataclass(frozen=True)
class Version:
    """One version of a case. Rows are as `sentinode cases show --json` prints them."""

    case: Row
    events: Sequence[Row]
    instances: Sequence[Row]
    deliveries: Sequence[Row]  # to every archive
    arrived: Sequence[Arrived]  # in the PACS
    elsewhere: Mapping[str, Sequence[Arrived]] = field(default_factory=dict)  # in each other archive, by destination

    def delivered_to(self, destination: str) -> list[Row]:
        """What became of each object that a destination was to get."""
        return [row for row in self.deliveries if row["destination"] == destination]

    @property
    def everything(self) -> list[Arrived]:
        """The objects in all archives; one that is in two stands twice."""
        return [*self.arrived, *(one for found in self.elsewhere.values() for one in found)]

    @property
    def summary(self) -> Row:
        """Answers, what they rest on, and what was left out."""
        summary: Row = self.case["summary"]
        return summary

    @property
    def answers(self) -> Sequence[Row]:
        """One an axilla."""
        answers: Sequence[Row] = self.summary.get("answers", ())
        return answers

    @property
    def estimates(self) -> Sequence[Row]:
        """The answers that are numbers."""
        return [answer for answer in self.answers if answer.get("probability") is not None]

    @property
    def holds(self) -> Sequence[tuple[str, str]]:
        """What it was held for, each time, and how that ended: who decided what, or nothing yet."""
        found: list[tuple[str, str]] = []
        for event in self.events:
            if event["event"] == "conflict_found":
                found.append((str(event["reason"]), ""))
            elif event["event"] == "resolved":
                found[-1] = (found[-1][0], str(event["reason"]))
        return found

    @property
    def resolved_at(self) -> datetime | None:
        """When the last thing that it was held for was decided."""
        at = [datetime.fromisoformat(event["at"]) for event in self.events if event["event"] == "resolved"]
        return max(at, default=None)

    def of_kind(self, kind: str) -> list[Arrived]:
        """The objects of one kind."""
        return [one for one in self.arrived if one.kind == kind]

    @property
    def waited_s(self) -> float | None:
        """From the last image until the case was complete."""
        if not self.case["ready_at"] or not self.instances:
            return None
        last = max(datetime.fromisoformat(row["received_at"]) for row in self.instances)
        return (datetime.fromisoformat(self.case["ready_at"]) - last).total_seconds()

    @property
    def door_to_pacs_s(self) -> float | None:
        """From the case's being complete until the PACS has its first report."""
        if not self.case["ready_at"] or not self.case["sr_stored_at"]:
            return None
        ready, stored = (datetime.fromisoformat(self.case[name]) for name in ("ready_at", "sr_stored_at"))
        return (stored - ready).total_seconds()


@dataclass(frozen=True)
class Outcome:
    """Everything that became of one patient."""

    patient: DemoPatient
    versions: Sequence[Version]  # in their order
    ends: Mapping[str, tuple[str, str]]  # SOP Instance UID of each image that the agent has -> its end, the reason
    strays: Sequence[str]  # objects in her studies that nobody sent and no case announced
    apart: Sequence[Version] = ()  # of cases of whom a decision told apart from her
    invalid: Mapping[Path, Sequence[str]] | None = None  # what dciodvfy says of each object; None: it is not there

    @property
    def found(self) -> Counter[str]:
        """How many objects of each kind came back to the PACS."""
        return Counter(one.kind for version in self.versions for one in version.arrived)

    def superseded(self, version: Version) -> bool:
        """Whether a later version has arrived."""
        return any(v.arrived and v.case["version"] > version.case["version"] for v in self.versions)

    @property
    def lost(self) -> list[str]:
        """Images that were acknowledged and of which the agent knows nothing."""
        return [uid for uid in self.patient.sent if uid not in self.ends]


def collect(archives: Mapping[str, Pacs], agent: Agent, patients: Sequence[DemoPatient], folder: Path) -> list[Outcome]:
    """Fetch every result of every patient from the archives, by destination, and write it below `folder`.

    The first of them is the PACS.
    """
    ends, pacs = agent.ends(), archives[PACS]
    versions: dict[tuple[str, str], list[Version]] = {}
    held = {uid: study for _, uid, study, _ in pacs.instances()}
    known = {key: patient for patient in patients for key in patient.keys}
    for case in reversed(agent.cases()):
        key = case["issuer"], case["patient_id"]
        key = known[key].key if key in known else key
        where = folder / (known[key].folder if key in known else "nobody")
        versions.setdefault(key, []).append(_version(archives, agent, case["id"], where))
    ours = {d["sop_instance_uid"] for found in versions.values() for v in found for d in v.deliveries}
    sent = {uid for patient in patients for uid in patient.sent}
    strays = {uid: study for uid, study in held.items() if uid not in ours | sent}
    apart = {key: found for key, found in versions.items() if key[0].startswith(SPLIT)}
    return [_outcome(p, versions, apart, ends, strays) for p in patients]


def _version(archives: Mapping[str, Pacs], agent: Agent, case_id: int, folder: Path) -> Version:
    story = agent.story(case_id)
    number, deliveries = story["case"]["version"], story["deliveries"]
    found = {
        name: _fetched(pacs, number, [row for row in deliveries if row["destination"] == name], where)
        for name, pacs in archives.items()
        for where in [folder if name == PACS else folder / name]
    }
    return Version(story["case"], story["events"], story["instances"], deliveries, found.pop(PACS), found)


def _fetched(pacs: Pacs, version: int, deliveries: Sequence[Row], folder: Path) -> list[Arrived]:
    arrived = []
    for delivery in deliveries:
        try:
            encoded = pacs.fetch(delivery["sop_instance_uid"])
        except KeyError:
            continue  # the check of the objects says so
        name = f"v{version}-{'-'.join(filter(None, delivery['role'].split(':')))}.dcm"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded)
        ds = dcmread(BytesIO(encoded))
        arrived.append(Arrived(delivery["role"], delivery["sop_instance_uid"], ds, folder / name))
    return arrived


def _outcome(
    patient: DemoPatient,
    versions: Mapping[tuple[str, str], Sequence[Version]],
    apart: Mapping[tuple[str, str], Sequence[Version]],
    ends: Mapping[str, tuple[str, str]],
    strays: Mapping[str, str],
) -> Outcome:
    studies = {str(ds.StudyInstanceUID) for ds in patient.sent.values()}
    return Outcome(
        patient,
        versions.get(patient.key, []),
        {uid: ends[uid] for uid in patient.sent if uid in ends},
        [uid for uid, study in strays.items() if study in studies],
        [version for key, found in apart.items() if key[1] == patient.who.patient_id for version in found],
    )
