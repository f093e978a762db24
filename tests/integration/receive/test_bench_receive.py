"""The benchmark of receiving, in small: every receiver that is here is measured in every way."""

import json
import subprocess
import sys

from bench.receive.figures import ASSOCIATIONS, BOUNDS, Bound, verdict
from bench.receive.objects import SORTS
from bench.receive.syncs import _sync_of
from tests.peers import ROOT, program


def test_every_figure_is_there_and_every_object_was_stored() -> None:
    """A few small objects, each receiver started once."""
    for name in ("storescp", "Orthanc", "strace"):
        program(name)
    done = subprocess.run(
        [sys.executable, "-m", "bench.receive", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["unanswered"] == 0
    figures = said["figures"]
    ratios = {f"{sort.name}_{n}_vs_{peer}" for sort in SORTS for n in ASSOCIATIONS for peer in ("storescp", "orthanc")}
    assert ratios | {"rss_mib_8"} == set(BOUNDS)
    assert set(BOUNDS) < set(figures)
    assert all(figure["value"] is not None for figure in figures.values())
    assert min(figures[name]["value"] for name in BOUNDS) > 0
    assert figures["mr_syncs_per_instance"]["value"] >= 1
    assert figures["mr_syncs_per_instance_storescp"]["value"] == 0


def test_a_figure_holds_at_its_bound_and_is_missed_where_it_is_missing() -> None:
    """At least, at most; what is aimed at decides nothing."""
    bounds = {"quick": Bound(least=2.0), "memory": Bound(most=128.0), "wanted": Bound(aim=3.0)}
    said = verdict("x", {"quick": 2.0, "memory": 128.0, "wanted": 1.0, "more": 5.0}, bounds)
    assert said["holds"] is True
    assert said["figures"]["quick"] == {"value": 2.0, "bound": 2.0, "holds": True}
    assert said["figures"]["wanted"] == {"value": 1.0, "aim": 3.0}
    assert verdict("x", {"quick": 1.9, "memory": 1.0, "wanted": 5.0}, bounds)["holds"] is False
    assert verdict("x", {"quick": 2.0, "memory": 129.0, "wanted": 5.0}, bounds)["holds"] is False
    assert verdict("x", {"quick": 2.0, "wanted": 5.0}, bounds)["holds"] is False
    assert verdict("x", {"quick": 2.0, "memory": 1.0}, bounds)["holds"] is False


def test_only_calls_that_wait_for_the_disk_are_counted() -> None:
    """As strace tells of them."""
    assert _sync_of("12 pwritev2(9, [...], 4, 8192, RWF_DSYNC) = 700") == "pwritev2"
    assert _sync_of("12 pwritev2(9, [...], 1, 4096, 0) = 24") == ""
    assert _sync_of("12 fdatasync(9 <unfinished ...>") == "fdatasync"
    assert _sync_of("12 <... fdatasync resumed>) = 0") == ""
