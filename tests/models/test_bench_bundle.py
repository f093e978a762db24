"""The benchmark of the committed bundle, on a few patients. Needs no torch."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra: cpu)")

from bench import bundle as bench


@pytest.mark.slow
def test_it_states_every_figure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is JSON with the share of the excess of everything, of the mean, and of each subset."""
    monkeypatch.setattr("sys.argv", ["bench.bundle", "--patients", "30", "--seed", "5"])
    monkeypatch.setattr(bench, "PROCESSES", 1)
    with pytest.raises(SystemExit) as ended:
        bench.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["patients"], found["seed"], found["subsets"], len(found["subset"])) == (30, 5, 15, 16)
    assert {"share_of_excess_all", "share_of_excess_mean", "ece_within_range"} <= set(found)
    assert found["share_of_excess_all"] > 0.5
    assert ended.value.code == (0 if bench.is_enough(found) else 1)


@pytest.mark.parametrize("short", ["share_of_excess_all", "share_of_excess_mean", "ece_within_range"])
def test_a_bundle_that_falls_short_fails(short: str) -> None:
    """Of everything, on average, or in calibration."""
    enough = {"share_of_excess_all": 0.93, "share_of_excess_mean": 0.90, "ece_within_range": True}
    assert bench.is_enough(enough)
    assert not bench.is_enough(enough | {short: False if enough[short] is True else enough[short] - 0.001})


def test_patients_that_the_bundle_knows_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A seed of training gives no figure."""
    monkeypatch.setattr("sys.argv", ["bench.bundle", "--patients", "4", "--seed", "102"])
    with pytest.raises(SystemExit):
        bench.main()
    said = capsys.readouterr()
    assert "the bundle knows the patients of seed 102" in said.err
    assert said.out == ""


def test_what_is_absent_is_one_empty_image() -> None:
    """Of a modality outside the subset one image of zeros is left, not present; facts keep their width."""
    inputs = {
        "clinical": np.ones((2, 8)),
        "clinical_present": np.ones((2, 8)),
        "mri": np.ones((2, 5, 4, 3, 3)),
        "mri_present": np.ones((2, 5)),
    }
    facts, mri = bench.only(inputs, 1), bench.only(inputs, 2)
    assert facts["clinical"].all()
    assert facts["mri"].shape == (2, 1, 4, 3, 3)
    assert not facts["mri"].any()
    assert not facts["mri_present"].any()
    assert mri["clinical"].shape == (2, 8)
    assert not mri["clinical_present"].any()
    assert mri["mri"] is inputs["mri"]
