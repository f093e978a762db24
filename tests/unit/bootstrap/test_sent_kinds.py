"""Which kinds of objects each destination gets, and what is made for them."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.bootstrap.worker import build_composer, kinds_by_destination
from agent.config import Config, ConfigError, load_config
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind
from agent.state import SqlStore
from agent.state.migration import migrate
from tests import builders
from tests.peers import ROOT

ALWAYS = frozenset({Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE})
TWO = """destinations:
  - {name: archive, ae_title: ARCHIVE, host: 127.0.0.1, port: 4242}
  - {name: reading, ae_title: READING, host: 127.0.0.1, port: 4243, send: [SENT], reject_superseded: REJECTS}
"""


def configured(folder: Path, sent: str, *, rejects: bool, more: str = "") -> Config:
    """Load the shipped file with two destinations, of which the second is as told."""
    over = folder / "over.yaml"
    over.write_text(TWO.replace("SENT", sent).replace("REJECTS", str(rejects).lower()) + more, encoding="utf-8")
    return load_config(ROOT / "config.yaml", [over]).config


def test_each_destination_gets_what_is_listed(tmp_path: Path) -> None:
    """Rejections go to those that ask for them; by default nobody does."""
    config = configured(tmp_path, "sr, segmentation, presentation_state", rejects=True)
    assert kinds_by_destination(config) == {
        "archive": ALWAYS,
        "reading": {Kind.SR, Kind.SEGMENTATION, Kind.PRESENTATION_STATE, Kind.REJECTION},
    }


def test_key_objects_need_the_captures_that_they_name(tmp_path: Path) -> None:
    """A selection of objects that an archive does not have leads nowhere."""
    with pytest.raises(ConfigError, match="key_object names the captures"):
        configured(tmp_path, "sr, key_object", rejects=False)
    config = configured(tmp_path, "key_object, secondary_capture", rejects=False)
    assert kinds_by_destination(config)["reading"] == {Kind.KEY_OBJECT, Kind.SECONDARY_CAPTURE}


def test_rejection_is_no_kind_to_list(tmp_path: Path) -> None:
    """It has a key of its own."""
    with pytest.raises(ConfigError, match="send"):
        configured(tmp_path, "rejection", rejects=False)


@pytest.mark.parametrize("rejects", [False, True])
def test_a_site_without_reports_of_no_estimate_still_rejects(tmp_path: Path, *, rejects: bool) -> None:
    """Where version 2 has no number and is not reported, version 1's number is rejected."""
    config = configured(tmp_path, "sr", rejects=rejects, more="cases: {report_no_estimate: false}\n")
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    image = builders.source_image()
    with closing(SqlStore(url)) as store:
        compose = build_composer(config, store)
        first = builders.result(None, [image])
        objects = compose(first, [image], lambda kind, reason: None)
        assert {o.kind for o in objects} == ALWAYS
        left = tuple(o.reference for o in objects)
        second = replace(first, version=2, answers=(NoEstimate(Side.L, "x"),), influences=(), superseded=left)
        assert [o.kind for o in compose(second, [image], lambda kind, reason: None)] == (
            [Kind.REJECTION] if rejects else []
        )


def test_a_version_without_images_is_rejections_alone(tmp_path: Path) -> None:
    """Also where a version without a number is reported: it has nothing to say."""
    config = configured(tmp_path, "sr", rejects=True)
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    image = builders.source_image()
    with closing(SqlStore(url)) as store:
        compose = build_composer(config, store)
        first = builders.result(None, [image])
        left = tuple(o.reference for o in compose(first, [image], lambda kind, reason: None))
        lost = replace(first, version=2, answers=(NoEstimate(None, "x"),), used=(), influences=(), superseded=left)
        kinds = [o.kind for o in compose(replace(lost, withdrawn=True), [image], lambda kind, reason: None)]
        assert kinds == [Kind.REJECTION]
