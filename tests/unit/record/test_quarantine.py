import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.core.errors import Transient
from agent.record.quarantine import Quarantine

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DIGEST = "ab" * 32


def _keep(folder: Path, content: bytes = b"object", reason: str = "truncated") -> Path:
    return Quarantine(folder).keep(content, DIGEST, reason, received_at=AT, sop_class_uid="1.2.3")


def test_keeps_the_object_with_its_reason_beside_it(tmp_path: Path) -> None:
    """The file is the object, the note says why, when and what; nothing else is left."""
    path = _keep(tmp_path / "new")
    assert path == tmp_path / "new" / f"{DIGEST}.dcm" and path.read_bytes() == b"object"
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "reason": "truncated",
        "received_at": "2026-11-20T09:00:00+00:00",
        "sop_class_uid": "1.2.3",
    }
    assert len(list(path.parent.iterdir())) == 2


def test_keeping_twice_changes_nothing(tmp_path: Path) -> None:
    """The first copy and its reason stay."""
    _keep(tmp_path)
    path = _keep(tmp_path, reason="other")
    assert json.loads(path.with_suffix(".json").read_text())["reason"] == "truncated"


def test_finishes_what_a_crash_left(tmp_path: Path) -> None:
    """A file without its note gets it; a partial file is replaced."""
    (tmp_path / f"{DIGEST}.dcm").write_bytes(b"object")
    (tmp_path / f"{DIGEST}.json.partial").write_bytes(b"{")
    path = _keep(tmp_path)
    assert json.loads(path.with_suffix(".json").read_text())["reason"] == "truncated"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".dcm", ".json"]


@pytest.mark.parametrize("digest", ["../../etc/passwd", "AB" * 32, "", "ab" * 31])
def test_refuses_a_name_that_is_no_digest(tmp_path: Path, digest: str) -> None:
    """No path comes from what was received."""
    with pytest.raises(ValueError, match="not a SHA-256 digest"):
        Quarantine(tmp_path).keep(b"", digest, "", received_at=AT, sop_class_uid="")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_transient(tmp_path: Path) -> None:
    """A full or missing disk may come back."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Transient, match="cannot be written"):
        _keep(tmp_path / "file")
