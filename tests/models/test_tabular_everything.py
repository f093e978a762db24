"""All of it at once, quickly: from real tables to RESULTS.md and a bundle, by the command that does it at length."""

import json
from pathlib import Path

from agent.infer.engine import Engine
from models.tabular.__main__ import main
from tests.peers import shared


def test_quick_writes_results_and_a_bundle(tmp_path: Path) -> None:
    """Figures have their names, stay where a table without images lets them, and the agent loads the bundle."""
    main(["all", "--quick", "--data", str(shared("data")), "--out", str(tmp_path), "--processes", "1"])
    out = tmp_path / "quick"
    figures = json.loads((out / "figures.json").read_text())
    for name in ("metabric_auc", "metabric_baseline_auc", "tcga_auc", "metabric_to_tcga_auc"):
        assert 0.55 < figures[name] < 0.75, name  # far above is leakage
    assert figures["metabric_worse_than_baseline"] == 0
    assert 0.4 < figures["shuffled_mean_auc"] < 0.6
    said = (out / "RESULTS.md").read_text()
    assert said.count("| served | 0.") == 2 and "figures/metabric_roc.png" in said
    assert (out / "figures" / "metabric_reliability.png").stat().st_size > 1000
    assert Engine.load(out / "aln-clinical-1.0.0", "cpu").identity.intended_use == "research"
    assert "$" not in (out / "aln-clinical-1.0.0" / "MODEL_CARD.md").read_text()
