"""Kill -9 during delivery: a part of what `make faults-deliver` does, and a defect that it must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.case import CaseState
from tests.faults.__main__ import DATABASES, Tally
from tests.faults.deliver import peer
from tests.faults.deliver.__main__ import KILLS, Total, figures, is_proven
from tests.faults.deliver.kills import BOUNDARIES, DeliveryKills, Kill, plan
from tests.faults.deliver.site import Site
from tests.faults.evidence import Kind, Violation
from tests.postgres import PostgresServer

SEED = 20261121
HIT = (Kill("deliver.between_stores", 1, "alone"), Kill("deliver.after_action", 1, "alone"))
PLANTED = "tests.faults.deliver.settles_first"


class Heard:
    """What was told of kills."""

    def __init__(self) -> None:
        self.kills: list[bool] = []
        self.broken: list[Violation] = []

    def __call__(self, what: str, violations: list[Violation], *, is_kill: bool) -> None:
        """Hear of one."""
        self.kills.append(is_kill)
        self.broken += violations


@contextmanager
def killed(folder: Path, url: str = "", program: str = "") -> Iterator[tuple[Site, DeliveryKills, Heard]]:
    """Give a site and what kills there."""
    heard = Heard()
    with Site(folder, SEED, url, program) as site:
        yield site, DeliveryKills(site, SEED, heard), heard


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    """A database of each sort; empty: in the folder."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def test_kills_during_delivery_break_no_promise(url: str, tmp_path: Path) -> None:
    """Two at boundaries and one at random: every result arrives once, several objects being under way at a time."""
    with killed(tmp_path, url) as (site, kills, heard):
        assert all(kills.at_boundary(kill) for kill in HIT)
        kills.at_random(1)
        seen = kills.drain()
    assert heard.broken == []
    assert heard.kills == [True] * 3 + [False]
    assert {version.case.state for version in seen.versions} == {CaseState.DONE}
    for name, archive in site.archives.items():
        assert len(seen.archives[name].kept) == sum(
            not one.instead_of for version in seen.versions for one in version.made
        )
        assert set(archive.windows) == {(8, 1)}
    assert max(archive.most_at_once for archive in site.archives.values()) > 1


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers that never drop an association, and do not forget to report."""
    monkeypatch.setattr(peer, "DROPPED", 0.0)
    monkeypatch.setattr(peer, "UNREPORTED", 0.0)


@pytest.mark.usefixtures("steady")
def test_settling_before_sending_is_found(tmp_path: Path) -> None:
    """With that defect objects are lost when the sender is killed, and that is said."""
    with killed(tmp_path, program=PLANTED) as (site, kills, heard):
        site.up()
        site.fill(1)
        assert site.wait_ended()
        assert kills.at_boundary(Kill("deliver.before_first_store", 1, "alone"))
        assert Kind.LOST in {violation.kind for violation in heard.broken}


def proven(**changes: Any) -> dict[str, Any]:
    """Return the figures of a run in which everything held, with some of them changed."""
    reached = {(database, kill.whom, kill.boundary) for database in DATABASES for kill in plan()}
    tally = Tally({"boundary": KILLS, "random": 0}, reached=reached)
    tally.done["boundary"] = KILLS
    return figures(tally, Total(most_at_once=2), 1) | changes


def test_what_is_proven() -> None:
    """Enough kills, at every boundary of delivery, and nothing broken."""
    assert is_proven(proven())
    assert len(BOUNDARIES) == 9


@pytest.mark.parametrize(
    "changes",
    [
        {"lost": 1},
        {"duplicates": 1},
        {"stuck": 1},
        {"kills": KILLS - 1},
        {"most_at_once": 1},
        {"not_killed_at": ["sqlite alone deliver.after_answer"]},
    ],
    ids=str,
)
def test_what_is_not_proven(changes: dict[str, Any]) -> None:
    """One broken promise, too few kills, one object at a time, or a boundary that was not reached."""
    assert not is_proven(proven(**changes))
