"""Orthanc, the real OHIF and Chromium, all on loopback; the tests are skipped where one of them is missing."""

from collections.abc import Iterator

import pytest

from demo.pacs_process import free_port
from tests.archives import AGENT, client
from tests.peers import program
from tests.viewer.viewing import Browser, Viewer, shots_folder, tools_folder
from tests.viewer.web import WebOrthanc, dicomweb_plugin, serving


@pytest.fixture(scope="session")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """One archive, one viewer and one browser for all studies: the first costs most, as it compiles OHIF."""
    tools = tools_folder()
    for name in ("Orthanc", "chromium", "node"):
        program(name)
    if dicomweb_plugin() is None:
        pytest.skip("Orthanc's DICOMweb plugin is not installed")
    if not all((tools / part).exists() for part in ("ohif/index.html", "node_modules/playwright-core")):
        pytest.skip("OHIF is not here: run tests/viewer/get_tools.sh")
    folder, shots = tmp_path_factory.mktemp("viewer"), shots_folder()
    shots.mkdir(parents=True, exist_ok=True)
    orthanc = WebOrthanc(folder / "orthanc", "ORTHANC", free_port(), {AGENT: ("127.0.0.1", free_port())})
    browser = Browser(tools, folder)
    orthanc.start()
    try:
        with serving(tools / "ohif", orthanc.http_port) as url:
            yield Viewer(client("ORTHANC", orthanc.port), url, browser, shots.resolve())
    finally:
        browser.close()
        orthanc.kill()  # stopping in order takes it three seconds
