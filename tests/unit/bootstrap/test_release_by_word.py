"""A person says that the study was read whose report a result waits for; who it was is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.bootstrap.inspect import case_story
from agent.bootstrap.resolving import release_case
from agent.config import Config, load_config
from agent.core.errors import Permanent
from agent.core.ports import OutboxStatus
from agent.core.reads import IndexStudy
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.peers import ROOT
from tests.state_stores import T0, delivering


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str], Config]:
    """A site with one result that waits; the configuration for a value of `cases.release`."""
    url = f"sqlite:///{tmp_path}/state.db"
    migrate(url)
    store = SqlStore(url)
    with store.unit() as unit:
        case = delivering(unit)
        unit.wait_for_read(case, IndexStudy("1.2", "A1", T0))
        assert unit.hold_back(case)
    store.close()

    def config(release: str) -> Config:
        over = tmp_path / "over.yaml"
        over.write_text(f'database: {{url: "{url}"}}\ncases: {{release: {release}}}\n', encoding="utf-8")
        return load_config(ROOT / "config.yaml", [over]).config

    return config


def test_it_leaves_and_the_story_says_who_said_so(site: Callable[[str], Config]) -> None:
    """By name, and by the login that nobody can choose."""
    config = site("after_radiologist_report")
    (before,) = case_story(config, 1).awaited
    assert (before["released_at"], before["released_by"]) == (None, None)
    assert release_case(config, 1, "Dr Example").id == 1
    story = case_story(config, 1)
    (after,) = story.awaited
    assert after["released_at"] is not None
    assert after["released_by"].startswith("Dr Example (login ")
    assert {row["status"] for row in story.deliveries} == {OutboxStatus.WAITING}


def test_where_nothing_waits_there_is_nothing_to_say(site: Callable[[str], Config]) -> None:
    """A site that sends at once lets it go with its next start."""
    with pytest.raises(Permanent, match="release is at_once"):
        release_case(site("at_once"), 1, "Dr Example")
