import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.core.errors import Transient
from agent.record.held import count_held
from agent.record.quarantine import Quarantine

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
DIGEST = "ab" * 32


MIB = 1 << 20


def _keep(folder: Path, content: bytes = b"object", reason: str = "truncated") -> Path:
    return _put(Quarantine(folder, MIB), content, reason=reason)


def _put(quarantine: Quarantine, content: bytes, digest: str = DIGEST, reason: str = "truncated") -> Path:
    parts = [content[:3], content[3:]]
    return quarantine.keep(parts, digest, reason, size=len(content), received_at=AT, sop_class_uid="1.2.3")


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
        _put(Quarantine(tmp_path, MIB), b"", digest)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_transient(tmp_path: Path) -> None:
    """A full or missing disk may come back."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Transient, match="cannot be written"):
        _keep(tmp_path / "file")


def _digest(number: int) -> str:
    return f"{number:064x}"


def _fill(folder: Path, count: int, size: int = 100_000) -> None:
    """Keep that many objects one after another, each a second older than the next."""
    quarantine = Quarantine(folder, MIB)
    for number in range(count):
        path = _put(quarantine, bytes(size), _digest(number))
        for file in (path, path.with_suffix(".json")):
            if file.exists():
                os.utime(file, (number, number))


def test_the_oldest_go_first_and_the_bound_holds(tmp_path: Path) -> None:
    """Whoever sends junk for ever takes no more than that: each with its reason, whole or gone."""
    _fill(tmp_path, 100)
    number, taken = count_held(tmp_path)
    assert number * 100_000 <= sum(file.stat().st_size for file in tmp_path.iterdir()) <= taken <= MIB
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert number >= 7
    assert kept == sorted(f"{_digest(n)}{suffix}" for n in range(100 - number, 100) for suffix in (".dcm", ".json"))


def test_what_others_laid_into_the_folder_stays(tmp_path: Path) -> None:
    """Only names that are given here go."""
    (tmp_path / "notes.txt").write_bytes(bytes(MIB))
    _fill(tmp_path, 30)
    assert (tmp_path / "notes.txt").stat().st_size == MIB
    assert count_held(tmp_path)[1] <= MIB


def test_small_objects_count_as_the_blocks_they_take(tmp_path: Path) -> None:
    """Neither do empty ones fill the disk."""
    _fill(tmp_path, 100, size=0)
    assert len(list(tmp_path.iterdir())) <= 2 * MIB // 4096 // 3


def test_of_an_object_above_the_bound_the_reason_stands_alone(tmp_path: Path) -> None:
    """It takes no place, and nothing goes for it; its pieces are not even asked for."""
    _fill(tmp_path, 3)
    pieces = iter([b"never read"])
    Quarantine(tmp_path, MIB).keep(pieces, DIGEST, "too large", size=MIB, received_at=AT, sop_class_uid="1.2.3")
    assert next(pieces) == b"never read"
    assert not (tmp_path / f"{DIGEST}.dcm").exists()
    assert json.loads((tmp_path / f"{DIGEST}.json").read_text())["reason"] == "too large"
    assert count_held(tmp_path)[0] == 4


@pytest.mark.parametrize("large", [MIB - 20_000, MIB // 2, MIB // 16])
def test_the_bound_holds_behind_a_large_object(tmp_path: Path, large: int) -> None:
    """What is written before the folder is looked through again has its place too."""
    quarantine = Quarantine(tmp_path, MIB)
    for number in range(40):
        _put(quarantine, bytes(large if number % 10 == 0 else 5000), _digest(number))
        assert count_held(tmp_path)[1] <= MIB


def test_partial_files_of_the_dead_are_counted_and_go(tmp_path: Path) -> None:
    """A process that was killed while it wrote leaves nothing for good."""
    (tmp_path / f"{_digest(1000)}.dcm.partial").write_bytes(bytes(900_000))
    os.utime(tmp_path / f"{_digest(1000)}.dcm.partial", (0, 0))
    assert count_held(tmp_path)[0] == 1
    _fill(tmp_path, 3)
    assert not list(tmp_path.glob("*.partial"))


def test_no_folder_holds_nothing_and_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    """Nothing was quarantined yet; or the folder cannot be read."""
    assert count_held(tmp_path / "none") == (0, 0)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Transient, match="cannot be read"):
        count_held(tmp_path / "file")
