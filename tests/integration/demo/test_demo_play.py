"""The demo itself, with the smallest cast: the agent and our own archive as processes, and a page at the end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest.capture import CaptureFixture

from demo.expected import dormant, no_case
from demo.pacs_process import free_port
from demo.run import OVERRIDES, Stage, play
from demo.stories import STORIES, Story

CT = next(story for story in STORIES if story.sends == "CT")
ASLEEP = replace(CT, title="Asleep", sends="MG", expected=dormant("the diagnosis is benign"), diagnosis="benign")


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    """The demo's own overrides, with free ports and everything below a folder of the test's."""
    text = OVERRIDES.read_text(encoding="utf-8")
    for port in ("11114", "11115", "4244", "4245"):
        assert text.count(port) == 1
        text = text.replace(port, str(free_port()))
    path = tmp_path / "overrides.yaml"
    path.write_text(text.replace("demo/out", str(tmp_path / "out")), encoding="utf-8")
    return path


def closing(capsys: CaptureFixture[str]) -> dict[str, object]:
    """The JSON line, which is the last one."""
    line: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_play_holds_and_fails_as_its_stories_do(overrides: Path, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """A story that does not hold fails the demo, in its exit code, its line and its page; the others stand."""
    wrong: Story = replace(ASLEEP, title="Wrong on purpose", expected=dormant("some other reason"), name="FICTA^OLGA")
    stage = Stage(tmp_path / "out", overrides, (CT, ASLEEP, wrong), "archive")
    assert play(stage) == 1
    line = closing(capsys)
    assert (line["patients"], line["cases"], line["dormant"], line["not_relevant"]) == (3, 2, 2, 8)
    assert (line["lost"], line["stories_failed"], line["sr"]) == (0, 1, 0)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("<section") == 3
    assert page.count("class=failed") == 1
    assert "the reason is given: it is [&#x27;the diagnosis is benign&#x27;]" in page


def test_mistake_in_the_configuration_is_said(overrides: Path, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """In words with its place; nothing is started then."""
    text = overrides.read_text(encoding="utf-8")
    overrides.write_text(text.replace("  quiet_s:", "  quite_s:"), encoding="utf-8")
    assert play(Stage(tmp_path / "out", overrides, (replace(CT, expected=no_case(8)),), "archive")) == 1
    assert "unknown key; did you mean 'quiet_s'?" in capsys.readouterr().out.replace("\n", "")
