"""The site's rules of config.yaml stand before the built-in ones, for indexing and inference alike."""

from pathlib import Path

from agent.bootstrap.keeper import question_scopes
from agent.bootstrap.role_table import build_role_table
from agent.config import load_config
from agent.dicom.header import read_header
from tests.fakes.instances import mammogram, record
from tests.peers import ROOT

RULES = """roles:
  - {modality: MG, view: ML, role: mg.mlo, reason: our ML is an MLO}
  - {modality: MG, station_name: "TRAIN*", role: refused, reason: the training room}
"""


def test_rules_of_the_file_are_tried_in_order(tmp_path: Path) -> None:
    """Refused means without a role; what none of them is about is left to the built-in ones."""
    over = tmp_path / "over.yaml"
    over.write_text(RULES, encoding="utf-8")
    config = load_config(ROOT / "config.yaml", [over]).config
    table = build_role_table(config)
    ml, trained, cc = (
        read_header(record(mammogram(**attributes)), None)
        for attributes in ({"ViewPosition": "ML"}, {"StationName": "TRAIN2"}, {})
    )
    assert (table.verdict(ml).rule, table.verdict(ml).role) == ("site-1", "mg.mlo")
    assert table.verdict(trained).refusal == "the training room [site-2]"
    assert table.verdict(cc).rule == "MG-21"
    (scope,) = question_scopes(config)
    assert scope.irrelevance(ml) == ""
    assert scope.irrelevance(trained) == "not relevant: the training room [site-2]"
