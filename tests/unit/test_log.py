import ast
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from agent import log as logs
from agent.core.errors import Transient
from tests.peers import ROOT

WRITES = {"debug", "info", "warning", "error", "exception", "bind", "tell", "complain", "_refuse"}
NO_KEYS = {"exc_info", "level", "who", "ids"}  # what tells how a line is written, and mappings of keys


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]):
    """Logging as a process sets it up; calling the fixture returns the lines written so far."""

    def read() -> list[dict]:
        return [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    logs.configure("info", "json", "test")
    yield read
    structlog.reset_defaults()


def test_only_known_keys_are_written(lines) -> None:
    """A key that is not known to be harmless is dropped, and its name is said."""
    structlog.get_logger().info("stored", sop_instance_uid="1.2", patient_name="CANARY")
    (line,) = lines()
    assert line["sop_instance_uid"] == "1.2"
    assert line["dropped"] == ["patient_name"]
    assert "CANARY" not in json.dumps(line)


def _keywords() -> Iterator[tuple[str, str]]:
    """Where in the agent a log line is written, and each key that it is given."""
    for path in sorted((ROOT / "agent").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                yield from ((f"{path.name}:{node.lineno}", one.arg) for one in node.keywords if one.arg)


def test_every_key_that_is_logged_is_known() -> None:
    """Else the line lacks what its documentation promises, and says so only when it is needed."""
    found = list(_keywords())
    assert len(found) > 100
    assert [one for one in found if one[1] not in logs.ALLOWED | NO_KEYS] == []


@pytest.mark.parametrize("value", ["CANARY^NAME", "1.2.CANARY", "1." + 64 * "2", ""])
def test_what_is_no_uid_is_written_as_a_digest(lines, value: str) -> None:
    """A peer may put anything where a UID belongs; equal ones can still be told to be equal."""
    structlog.get_logger().info("instance_stored", sop_instance_uid=value, sop_class_uid="1.2.840")
    (line,) = lines()
    assert line["sop_instance_uid"].startswith("no UID, SHA-256 ")
    assert line["sop_class_uid"] == "1.2.840"
    assert value == "" or value not in json.dumps(line)


def test_exception_text_of_others_is_not_written(lines) -> None:
    """An unexpected error is written as its class and where it happened, never its text."""
    try:
        raise ValueError("CANARY^NAME")
    except ValueError:
        structlog.get_logger().exception("tick_failed", tick="index")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert any("test_exception_text" in frame for frame in line["where"])
    assert "CANARY" not in json.dumps(line)


def test_own_errors_speak(lines) -> None:
    """Errors raised on purpose hold no patient data, so their words are written."""
    structlog.get_logger().error("failed", exc_info=Transient("PACS refused the association"))
    assert lines()[0]["error"] == "PACS refused the association"


def test_other_libraries_give_their_template_only(lines) -> None:
    """Arguments of foreign log records may be values of objects."""
    logging.getLogger("somebody").warning("cannot read %s", "CANARY")
    logging.getLogger("pydicom").error("Invalid value CANARY")
    (line,) = lines()
    assert line["template"] == "cannot read %s"
