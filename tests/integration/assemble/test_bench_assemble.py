"""The benchmark of indexing and waiting, on a short history: it runs and says what it measured."""

import json
from pathlib import Path

import pytest

from bench import assemble as bench

SMALL = "--finished 20 --instances 60 --waiting 200 --index 40 --samples 2 --ticks 8 --refresh-s 4".split()


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict]:
    """Run it, whatever its figures are worth here; return what was printed, and the last line read."""
    monkeypatch.setattr("sys.argv", ["bench.assemble", *SMALL, *arguments])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    said = capsys.readouterr().out
    found = json.loads(said.splitlines()[-1])
    assert ended.value.code == (0 if bench.is_enough(found) else 1)
    return said, found


def test_it_states_every_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last line is JSON with the figures of the whole and of every stream and operation; nothing is left behind."""
    said, found = _run(monkeypatch, capsys, "--folder", str(tmp_path / "var"), "--explain")
    assert found["index_instances_per_s"] > 0
    assert found["claim_p95_ms"] > 0
    assert found["status_p95_ms"] > 0
    assert {name: one["instances"] for name, one in found["index"].items()} == {
        "mammography": 40,
        "one_mri": 20,
        "half_mib_images": 2,
    }
    assert {name: one["samples"] for name, one in found["growth"].items()} == dict.fromkeys(
        ("index", "status", "tick", "claim"), 2
    )
    assert found["growth_p95_ratio"] == max(one["ratio_p95"] for one in found["growth"].values())
    assert found["tick_p95_ms"] == found["tick"]["p95_ms"]
    assert found["tick"]["cases_per_tick"] > 5  # 200 cases, each every 4 s, seen every half second
    assert (found["finished"], found["instances"], found["waiting"], found["database"]) == (20, 60, 200, "sqlite")
    assert "SCAN spool_cursor" in said
    assert list((tmp_path / "var").iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("postgres")
def test_postgresql_stands_beside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The figures of both databases are in one result."""
    _, found = _run(monkeypatch, capsys, "--folder", str(tmp_path), "--database", "both")
    assert found["database"] == "sqlite"
    assert found["postgresql"]["index_instances_per_s"] > 0
    assert set(found["postgresql"]) < set(found)


@pytest.mark.parametrize("worse", ["index_instances_per_s", "tick_p95_ms", "growth_p95_ratio"])
def test_figures_that_fall_short_fail(worse: str) -> None:
    """Images a second, the tick, or growth."""
    enough = {"index_instances_per_s": 1000.0, "tick_p95_ms": 50.0, "growth_p95_ratio": 2.0}
    assert bench.is_enough(enough)
    assert not bench.is_enough(enough | {worse: 999.0 if worse == "index_instances_per_s" else 50.1})
