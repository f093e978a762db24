"""What others wrote and no report can repeat is refused where a person sees it."""

from typing import Any

import pytest

from agent.core.errors import Permanent
from agent.core.manifest import parse_manifest
from agent.core.writable import is_writable
from tests.builders_bundle import manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("35 % node-positive\n\ttwo hospitals\r\x0c", True), ("Müller 山田", True)]
    + [(f"a{one}b", False) for one in "\x00\x08\x0b\x1b\x7f\ud800"],
)
def test_lines_of_any_script_are_written(text: str, expected: bool) -> None:
    """And no other control characters, nor half a character."""
    assert is_writable(text) is expected


@pytest.mark.parametrize("key", ["name", "version", "intended_use", "label", "training.summary"])
def test_a_bundle_that_no_report_can_repeat_is_refused(key: str) -> None:
    """By what it is about, without the text."""
    changes: dict[str, Any] = {"training": {"summary": "CANARY\x0b"}} if "." in key else {key: "CANARY\x0b"}
    with pytest.raises(Permanent, match=f"manifest.json: {key} holds a control character") as caught:
        parse_manifest({**manifest(), "files": {}, **changes})
    assert "CANARY" not in str(caught.value)
