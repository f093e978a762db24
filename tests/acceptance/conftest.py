"""An agent and a small archive, joined as in a hospital; and synthetic patients to send."""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import date, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from agent.dimse.client import PacsClient
from demo import ehr
from demo.archive import Archive
from models import phantom
from tests.harness import AgentProcess, wait_until

TODAY = date.today()
ASKED_EVERY_S = 0.3  # a look opens the database and compiles its queries: as much work as the agent has meanwhile
ENDED = {"done", "dormant", "failed", "held", "closed"}


class Hospital:
    """A PACS, an EHR and the agent beside them."""

    def __init__(self, folder: Path, agent: AgentProcess, archive: Archive) -> None:
        self.folder, self.agent, self.archive = folder, agent, archive

    def patient(self, number: int, *, in_ehr: bool = True, sides: Sequence[str] = ("L",), name: str = "",
                issuer: str = "PHANTOM", **facts: object) -> phantom.Patient:  # fmt: skip
        """Make a patient diagnosed ten days ago, by default known to the EHR."""
        made = phantom.patient(
            number, f"PH-{number:04d}", sides=sides, name=name, issuer=issuer, diagnosed_on=TODAY - timedelta(days=10)
        )
        if in_ehr:
            self.tell_ehr(made, **facts)
        return made

    def tell_ehr(self, patient: phantom.Patient, **facts: object) -> None:
        """Write the patient's row into the EHR."""
        ehr.load(self.agent.ehr_path, [{**phantom.ehr_row(patient), **facts}])

    def send(self, datasets: Sequence[Dataset]) -> list[int | None]:
        """C-STORE to the agent over one association, as a modality does; return the statuses."""
        client = PacsClient("MODALITY", "SENTINODE", "127.0.0.1", self.agent.port)
        return [outcome.status for outcome in client.store([part10(ds) for ds in datasets])]

    def wait_ended(self, count: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until there are `count` versions of cases and all have ended; return them, the newest first."""

        def ended() -> list[dict[str, Any]] | None:
            cases = self.agent.cases()
            return cases if len(cases) >= count and all(c["state"] in ENDED for c in cases) else None

        return list(wait_until(ended, seconds, f"no {count} cases that have ended", every_s=ASKED_EVERY_S))

    def results(self) -> list[Dataset]:
        """What the agent stored in the archive, in order of arrival."""
        return [dcmread(BytesIO(self.archive.fetch(uid))) for _, uid, _, _ in self.archive.instances()]


def part10(ds: Dataset) -> bytes:
    """Encode a dataset as a Part 10 file."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def views(patient: phantom.Patient, *names: str, days_ago: int = 3) -> list[Dataset]:
    """Return small mammograms: four views, or those named like "L CC"."""
    wanted = [tuple(n.split()) for n in names] or [(s, v) for v in ("CC", "MLO") for s in "LR"]
    return _drawn(patient, TODAY - timedelta(days=days_ago), wanted)


def _drawing_once() -> Callable[[phantom.Patient, date, Sequence[tuple[str, ...]]], list[Dataset]]:
    """Draw the same images only once: most tests begin with the same patient."""
    made: dict[bytes, list[Dataset]] = {}

    def draw(patient: phantom.Patient, day: date, wanted: Sequence[tuple[str, ...]]) -> list[Dataset]:
        key = pickle.dumps((patient, day, wanted))
        if key not in made:
            made[key] = phantom.mammography(patient, day, views=wanted, rows=640, columns=512)
        return deepcopy(made[key])

    return draw


_drawn = _drawing_once()


def kinds(results: Sequence[Dataset]) -> list[str]:
    """Name each object by its kind."""
    names = {"Comprehensive 3D SR Storage": "sr", "Enhanced SR Storage": "text_sr"}
    return [names.get(ds.SOPClassUID.name, "secondary_capture") for ds in results]


@pytest.fixture
def changes() -> dict[str, Any]:
    """Overrides of config.yaml; a test that needs some parametrises this."""
    return {}


@pytest.fixture
def quiet_hospital(tmp_path: Path, changes: dict[str, Any]) -> Iterator[Hospital]:
    """An agent that is not running yet, its EHR empty, and an archive."""
    with Archive("PACS", tmp_path / "pacs") as archive:
        agent = AgentProcess(tmp_path, archive.port, changes)
        archive.peers["SENTINODE"] = ("127.0.0.1", agent.port)
        ehr.create(agent.ehr_path)
        agent.migrate()
        try:
            yield Hospital(tmp_path, agent, archive)
            if agent.is_running:
                assert agent.stop() == 0, agent.log()[-2000:]
        finally:
            agent.kill()


@pytest.fixture
def hospital(quiet_hospital: Hospital) -> Hospital:
    """The same with the agent running."""
    quiet_hospital.agent.start()
    quiet_hospital.agent.wait_listening()
    return quiet_hospital


def story(agent: AgentProcess, case_id: int) -> dict[str, Any]:
    """What `sentinode cases show` says of a case."""
    made: dict[str, Any] = json.loads(agent.cli("cases", "show", str(case_id), "--json").stdout)
    return made


def copies(hospital: Hospital) -> Iterator[Dataset]:
    """Make images of patients whom the EHR does not know, each another one's."""
    (original,) = views(hospital.patient(800, in_ehr=False), "L CC")
    for number in count(801):
        ds = deepcopy(original)
        ds.PatientID = f"PH-{number:04d}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (generate_uid() for _ in range(3))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        yield ds
