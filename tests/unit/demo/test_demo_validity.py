"""What the demo makes of dciodvfy's words, with the program and without it."""

from copy import deepcopy
from pathlib import Path

import pytest

from demo.closing import Told, closing
from demo.outcome import Outcome
from demo.validity import PROGRAM, errors, validated
from tests.peers import program


def test_every_object_is_judged(outcome: Outcome) -> None:
    """Those of the old archive, too; all of them are valid."""
    program(PROGRAM)
    (judged,) = validated([outcome])
    assert judged.invalid is not None
    assert set(judged.invalid) == {one.path for one in outcome.versions[0].everything}
    assert not any(judged.invalid.values())


def test_what_is_wrong_is_told(outcome: Outcome, tmp_path: Path) -> None:
    """An attribute that must be there is missing; a file that is none is no valid object, either."""
    path, (text,) = tmp_path / "wrong.dcm", outcome.versions[0].of_kind("text_sr")
    wrong = deepcopy(text.ds)
    del wrong.CompletionFlag
    wrong.save_as(path)
    assert any("CompletionFlag" in line for line in errors(program(PROGRAM), path))
    path.write_bytes(b"no DICOM")
    assert errors(program(PROGRAM), path)


def test_nothing_is_claimed_without_the_program(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """No outcome of it, and null in the closing line."""
    monkeypatch.setenv("PATH", "")
    (same,) = validated([outcome])
    assert same == outcome
    assert '"dciodvfy_objects": null, "dciodvfy_errors": null' in closing([Told(same, ())])
