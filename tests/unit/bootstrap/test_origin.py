"""What of an installation an answer depends on is looked at as it is."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

import agent
from agent.bootstrap.origin import build_origin, code_digest
from agent.config import load_config
from agent.core.errors import Permanent
from tests.peers import ROOT


def test_code_libraries_configuration_and_query_are_told() -> None:
    """Of the two that own one module the one that is installed."""
    found = build_origin(load_config(ROOT / "config.yaml").config)
    assert (found.version, found.python) == (agent.__version__, platform.python_version())
    assert found.libraries["numpy"] == version("numpy")
    assert len({"onnxruntime", "onnxruntime-gpu"} & set(found.libraries)) == 1
    assert found.code == code_digest(ROOT / "agent")
    assert {len(one) for one in (found.code, found.configuration, found.ehr_query)} == {64}
    assert found.time_zone == "UTC"
    assert "site.prevalence" in found.configuration_keys


def test_an_edited_installation_shows(tmp_path: Path) -> None:
    """Another byte, another name, another file; what Python makes of the sources does not count."""
    (tmp_path / "room").mkdir()
    module = tmp_path / "room" / "a.py"
    module.write_text("x = 1\n", encoding="utf-8")
    digests = [code_digest(tmp_path)]
    (tmp_path / "room" / "a.pyc").write_bytes(b"compiled")
    assert code_digest(tmp_path) == digests[0]
    module.write_text("x = 2\n", encoding="utf-8")
    digests.append(code_digest(tmp_path))
    module.rename(tmp_path / "a.py")
    digests.append(code_digest(tmp_path))
    (tmp_path / "b.py").touch()
    digests.append(code_digest(tmp_path))
    assert len(set(digests)) == 4


def test_a_query_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """By its path."""
    config = load_config(ROOT / "config.yaml").config
    gone = config.model_copy(update={"ehr": config.ehr.model_copy(update={"query": tmp_path / "gone.sql"})})
    with pytest.raises(Permanent, match=r"gone\.sql cannot be read"):
        build_origin(gone)
