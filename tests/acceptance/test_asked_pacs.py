"""What lies in the PACS alone is fetched, and one report is made of everything: through the whole agent and Orthanc."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.core.patient import PatientKey
from demo import ehr
from demo.orthanc import Orthanc
from demo.pacs_process import free_port
from models import phantom
from tests.acceptance.conftest import TODAY, story, views
from tests.acceptance.conftest import part10 as file_of
from tests.archives import client
from tests.builders import part10
from tests.builders_us_mr import dynamic
from tests.harness import AgentProcess, wait_until
from tests.peers import program

CASES: dict[str, Any] = {
    "quiet_s": 0.5,
    "expect": ["MG", "MR"],
    "wait_for": {"MR": "1h"},
    "ask_pacs": {"peer": "pacs", "counts": False},
}


class Site:
    """Orthanc, an EHR and the agent that asks them."""

    def __init__(self, folder: Path, retrieve: str) -> None:
        port = free_port()
        changes: dict[str, Any] = {"cases": CASES | {"ask_pacs": CASES["ask_pacs"] | {"retrieve": retrieve}}}
        self.agent = AgentProcess(folder, port, changes)
        self.orthanc = Orthanc(folder / "orthanc", "PACS", port, {"SENTINODE": ("127.0.0.1", self.agent.port)})
        ehr.create(self.agent.ehr_path)
        self.agent.migrate()


@pytest.fixture(params=["move", "get"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site whose PACS is asked, everything running."""
    program("Orthanc")
    made = Site(tmp_path, request.param)
    made.orthanc.start()
    made.agent.start()
    try:
        made.agent.wait_listening()
        yield made
        assert made.agent.stop() == 0, made.agent.log()[-2000:]
    finally:
        made.agent.kill()
        made.orthanc.kill()


def test_a_missing_modality_is_fetched_from_the_pacs(site: Site) -> None:
    """MR that nobody sent comes back from the PACS, and the one version that is answered holds it."""
    patient = phantom.patient(
        1, "PH-0001", sides=("L",), name="", issuer="PHANTOM", diagnosed_on=TODAY - timedelta(days=10)
    )
    ehr.load(site.agent.ehr_path, [phantom.ehr_row(patient)])
    her = PatientKey("PHANTOM", "PH-0001")
    made = dynamic(phases=2, slices=3, study="fetched", day=TODAY - timedelta(days=3), patient=her)
    mammograms = views(patient)
    for one in made:  # the same woman to both builders
        one.PatientName, one.PatientBirthDate = mammograms[0].PatientName, mammograms[0].PatientBirthDate
        one.PatientSex = mammograms[0].PatientSex
    other = dynamic(phases=1, slices=2, study="other", day=TODAY, patient=PatientKey("PHANTOM", "PH-0002"))
    site.orthanc.store([part10(one) for one in (*made, *other)])
    sender = client("SENTINODE", site.agent.port)
    assert {o.status for o in sender.store([file_of(one) for one in mammograms])} == {0}

    def done() -> list[dict[str, Any]]:
        return [case for case in site.agent.cases() if case["state"] == "done"]

    (case,) = wait_until(done, 60, f"not done: {site.agent.log()[-3000:]}")
    assert case["version"] == 1 and len(site.agent.cases()) == 1
    told = story(site.agent, case["id"])
    assert {one["modality"] for one in told["instances"]} == {"MG", "MR"}
    assert [(one["status"], one["attempts"]) for one in told["retrievals"]] == [("done", 1)] * 2  # a series a phase
    assert "Expected and present: MG, MR." in told["findings"]["evidence"]
