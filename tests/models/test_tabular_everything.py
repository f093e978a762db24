"""All of it at once, quickly: from real tables to RESULTS.md and a bundle, by the command that does it at length."""

import json
from pathlib import Path

import pytest

from agent.infer.engine import Engine
from models.tabular.__main__ import main
from tests.peers import shared


def test_quick_writes_results_and_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures have their names, stay where a table without images lets them, and the agent loads the bundle."""
    with pytest.raises(SystemExit) as ended:
        main(["all", "--quick", "--data", str(shared("data")), "--out", str(tmp_path), "--processes", "1"])
    assert not ended.value.code  # figures that a quick run lacks do not make it fail
    out = tmp_path / "quick"
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == json.loads((out / "figures.json").read_text())
    figures = {name: one["value"] for name, one in said["figures"].items()}
    for name in ("metabric", "metabric_baseline", "tcga", "metabric_to_tcga", "metabric_genes_clinical"):
        assert 0.55 < figures[f"{name}_auc"] < 0.75, name  # far above is leakage
    assert figures["metabric_worse_than_best_simple"] == 0
    assert figures["nsln_phantom_C_auc"] < figures["nsln_phantom_CA_auc"]
    assert 0.4 < figures["shuffled_mean_auc"] < 0.6
    page = (out / "RESULTS.md").read_text()
    assert page.count("| served | 0.") == 2 and "figures/metabric.png" in page
    assert "### metabric with 489 genes" in page and "**synthetic**" in page
    assert "Not run: `forest`" in page  # a quick run takes simple systems
    assert "Not measured: `rotterdam_auc`" in page and not said["holds"]
    assert (out / "figures" / "metabric.png").stat().st_size > 1000
    assert Engine.load(out / "aln-clinical-1.0.0", "cpu").identity.intended_use == "research"
    assert "$" not in (out / "aln-clinical-1.0.0" / "MODEL_CARD.md").read_text()
