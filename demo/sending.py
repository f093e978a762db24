"""How the images reach the agent: through the PACS, series by series, two patients in turn, not in their order."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from agent.core.dimse_status import Judgement, judge
from agent.core.errors import SentinodeError
from agent.dimse.client import PacsClient
from demo.agent_process import Agent, DemoError
from demo.hospital import merge
from demo.pacs import Pacs
from demo.pacs_process import LOOPBACK
from demo.patients import DemoPatient, cut_off, part10

MODALITY: Final = "DEMOMG"  # a mammography unit that sends by itself; demo/overrides.yaml lets it in
COMES_UP_WITHIN_S: Final = 30.0


def pairs(patients: Sequence[DemoPatient]) -> Iterator[Sequence[DemoPatient]]:
    """Whose images travel at the same time: two and two, those with a second act first, namesakes together."""
    order = sorted(patients, key=lambda p: (not p.has_second_act, p.who.patient_id, p.number))
    namesakes = [p for p in order if sum(q.who.patient_id == p.who.patient_id for q in order) > 1]
    others = [p for p in order if p not in namesakes]
    for group in (others[: len(others) % 2], namesakes, others[len(others) % 2 :]):
        yield from (group[n : n + 2] for n in range(0, len(group), 2))


def series_in_turn(patients: Sequence[DemoPatient], shuffled: random.Random) -> list[str]:
    """Return the Series Instance UIDs of the patients' images, each patient's shuffled, all in turn."""
    own = []
    for patient in patients:
        uids = list(dict.fromkeys(str(ds.SeriesInstanceUID) for ds in (*patient.images, *patient.foreign)))
        shuffled.shuffle(uids)
        own.append(uids)
    return [uid for uid in chain.from_iterable(zip_longest(*own)) if uid is not None]


class Sender:
    """Sends everything once, as modalities and a routing rule of the PACS would."""

    def __init__(self, pacs: Pacs, agent: Agent) -> None:
        self._pacs, self._agent = pacs, agent
        self._ae_title = agent.config.dicom.ae_title
        self._random = random.Random(1)  # noqa: S311 the order of sending is no secret

    def send(self, patients: Sequence[DemoPatient], on_sent: Callable[[int], None]) -> None:
        """Send the first images of all patients; `on_sent` is told of each patient whose images are there."""
        for group in pairs(patients):
            for patient in group:
                self._send_past_the_pacs([part10(ds) for ds in patient.mislabelled])
            self._store([ds for patient in group for ds in (*patient.images, *patient.foreign)])
            for series_uid in series_in_turn(group, self._random):
                self._route(series_uid)
            for patient in group:
                self._send_past_the_pacs([cut_off(part10(ds)) for ds in patient.cut])
                on_sent(patient.number)

    def begin_second_act(self, patient: DemoPatient) -> None:
        """Do what happens when the first report is there: more images come, or two Patient IDs become one."""
        if patient.story.retired_id:
            ehr_path = Path(self._agent.config.ehr.url.removeprefix("sqlite:///"))
            merge(patient, ehr_path, self._agent.hl7_port)
        self._store(patient.late)
        for series_uid in dict.fromkeys(str(ds.SeriesInstanceUID) for ds in patient.late):
            self._route(series_uid)

    def _store(self, images: Sequence[Dataset]) -> None:
        shuffled = list(images)
        self._random.shuffle(shuffled)
        self._pacs.store([part10(ds) for ds in shuffled])

    def _route(self, series_instance_uid: str) -> None:
        """Route one series; at the start the agent may still be coming up."""
        deadline = time.monotonic() + COMES_UP_WITHIN_S
        while True:
            self._agent.check_alive()
            try:
                self._pacs.route(series_instance_uid, self._ae_title)
            except OSError as exc:
                if time.monotonic() > deadline:
                    raise DemoError(f"the agent does not take images ({exc}); see {self._agent.log}") from None
                time.sleep(0.3)
            else:
                return

    def _send_past_the_pacs(self, files: Sequence[bytes]) -> None:
        """C-STORE what no PACS would keep or pass on: the agent must acknowledge what it can keep."""
        client = PacsClient(MODALITY, self._ae_title, LOOPBACK, self._agent.config.dicom.port)
        try:
            outcomes = list(client.store(files)) if files else []
        except SentinodeError as exc:
            raise DemoError(f"the agent does not take images ({exc}); see {self._agent.log}") from None
        if any(o.status is None or judge(o.status) is not Judgement.STORED for o in outcomes):
            raise DemoError("the agent did not acknowledge what the mammography unit sent")
