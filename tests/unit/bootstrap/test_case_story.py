"""One case's story says of each image, and of whatever else arrived of its patient, which rule took or refused it."""

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from agent.bootstrap.inspect import case_story
from agent.config import Config, load_config
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.operate.status import story_tables
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.peers import ROOT
from tests.state_stores import CASE_UUID, PATIENT, T0, arrival, instance

RULES = """database: {{url: "{url}"}}
roles:
  - {{modality: MG, view: MLO, role: mg.mlo, reason: every MLO of ours}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A site with a rule of its own and a database with one case: an MLO; refused and damaged objects beside it."""
    url = f"sqlite:///{tmp_path}/state.db"
    migrate(url)
    over = tmp_path / "over.yaml"
    over.write_text(RULES.format(url=url), encoding="utf-8")
    store = SqlStore(url)
    with store.unit() as unit:
        case = unit.open_case("aln", PATIENT, T0, CASE_UUID)
        unit.add_instance(case, instance("1.1"), replace(arrival("1.1", 1), patient=PATIENT), T0)
        ct = replace(arrival("1.2", 2, end=End.NOT_RELEVANT), patient=PATIENT, modality="CT", study_instance_uid="9.9")
        unit.arrived(replace(ct, reason="not relevant: a CT: no question here reads it [OT-1]"))
        unit.arrived(replace(arrival("1.3", 3, end=End.QUARANTINED), patient=PATIENT, reason="truncated: it ends"))
        unit.arrived(replace(arrival("1.4", 4, end=End.NOT_RELEVANT), patient=PatientKey("EXAMPLE", "other")))
        other = unit.open_case("histology", PATIENT, T0, UUID(int=7))
        seen = replace(instance("1.5"), view_position="CC")
        unit.add_instance(other, seen, replace(arrival("1.5", 5), patient=PATIENT), T0)
    store.close()
    return load_config(ROOT / "config.yaml", [over]).config


def said(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row says of the role."""
    return tuple(row[name] for name in ("sop_instance_uid", "role", "rule", "role_reason"))


def test_instances_say_their_role_and_rule(config: Config) -> None:
    """By the table of this site."""
    assert [said(row) for row in case_story(config, 1).instances] == [("1.1", "mg.mlo", "site-1", "every MLO of ours")]


def test_whatever_else_arrived_of_the_patient_says_why(config: Config) -> None:
    """Refused, quarantined, or held by another case; another patient's objects are not among it."""
    assert [said(row) for row in case_story(config, 1).others] == [
        ("1.2", "", "OT-1", "a CT: no question here reads it"),
        ("1.3", "", "", "truncated: it ends"),
        ("1.5", "mg.cc", "MG-21", "a CC view, for presentation"),
    ]


def test_the_terminal_shows_it(config: Config) -> None:
    """Each object with its rule and the words."""
    screen = Console(file=StringIO(), width=400)
    screen.print(*story_tables(case_story(config, 1)))
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    for text in ("mg.mlo", "site-1", "every MLO of ours", "OT-1", "a CT: no question here reads it", "9.9"):
        assert text in shown
