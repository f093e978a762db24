"""The fusion network itself; needs torch."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
pytest.importorskip("onnxscript", reason="onnxscript is not installed (extra: train)")

from models import export as exporting  # noqa: E402
from models.fusion import bundle, data  # noqa: E402
from models.fusion.calibrate import calibrate  # noqa: E402
from models.fusion.network import FusionNetwork  # noqa: E402
from models.fusion.settings import Settings, Sizes  # noqa: E402
from models.fusion.train import (  # noqa: E402
    describe,
    encoder_loss,
    places_of,
    restore,
    save,
    train_encoder,
    train_heads,
)

SIZES = Sizes(height=64, width=56, stem=8, features=8, dilations=(1,), concept_hidden=8, clinical_hidden=8, evidence=4)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A run small enough for a test."""
    work = tmp_path_factory.mktemp("work")
    return Settings(sizes=SIZES, render_rows=160, render_columns=128, encoder_epochs=2, heads_epochs=3, work=work)


@pytest.fixture(scope="module")
def cohort(settings: Settings) -> data.Arrays:
    """Forty patients."""
    patients = data.draw(settings.encoder, 0, 40)
    return data.to_arrays(patients, data.fact_specs(patients), settings)


@pytest.fixture(scope="module")
def trained(settings: Settings, cohort: data.Arrays) -> FusionNetwork:
    """A network trained for a moment, so that none of its parts is still at zero."""
    torch.manual_seed(0)
    network = FusionNetwork(SIZES)
    train_encoder(network.encoder, cohort, settings)
    concepts = describe(network.encoder, cohort, "forty")
    train_heads(network.evidence, cohort, concepts, settings)
    calibrate(network, cohort, concepts.by_views[0], cohort, concepts.by_views[0])
    return network.eval()


def test_a_few_steps_lower_the_loss(cohort: data.Arrays) -> None:
    """The encoder learns."""
    torch.manual_seed(0)
    encoder = FusionNetwork(SIZES).encoder.train()
    optimiser = torch.optim.AdamW(encoder.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = encoder_loss(encoder, cohort, np.arange(16), np.random.default_rng(0))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_training_goes_on_where_it_stopped(
    settings: Settings, cohort: data.Arrays, trained: FusionNetwork, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once all epochs are done, training again restores them and takes no step."""
    again = FusionNetwork(SIZES).encoder
    train_encoder(again, cohort, settings)
    assert "train encoder" not in capsys.readouterr().out
    for name, value in trained.encoder.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_a_kept_network_comes_back(settings: Settings, trained: FusionNetwork) -> None:
    """Weights, facts and summary survive a file."""
    save(settings.work / "kept.pt", trained, data.FACTS, {"seconds": 3})
    network, specs, summary = restore(settings.work / "kept.pt", settings)
    assert (specs, summary) == (data.FACTS, {"seconds": 3})
    assert torch.equal(network.recalibration.covariance_root, trained.recalibration.covariance_root)


@pytest.fixture(scope="module")
def graph(settings: Settings, trained: FusionNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported graph."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    bundle.write_graph(trained, settings, path)
    return path


def test_the_graph_computes_what_the_network_does(settings: Settings, trained: FusionNetwork, graph: Path) -> None:
    """Every output agrees to 1e-4 at several numbers of axillae and views, with anything missing."""
    patients = data.draw(settings.encoder, 0, 20)
    cases = bundle.parity_cases(data.fact_specs(patients), settings)
    assert exporting.check_parity(trained, graph, list(cases.values()), bundle.OUTPUTS) <= exporting.PARITY


def test_the_graph_is_one_file_that_names_no_place(graph: Path) -> None:
    """Weights are inside, and nothing of the exporting machine is."""
    assert [p.name for p in graph.parent.iterdir()] == ["model.onnx"]
    assert str(Path(exporting.__file__).parent).encode() not in graph.read_bytes()


def test_a_graph_of_another_network_is_refused(settings: Settings, graph: Path) -> None:
    """The parity check can fail."""
    cases = [bundle.random_inputs(settings, 2, 2, np.random.default_rng(0))]
    with pytest.raises(exporting.ParityError, match="differs"):
        exporting.check_parity(FusionNetwork(SIZES).eval(), graph, cases, bundle.OUTPUTS)


def test_what_is_missing_contributes_nothing(settings: Settings, trained: FusionNetwork) -> None:
    """Absent facts and views change no output, whatever stands in their place."""
    inputs = bundle.random_inputs(settings, 3, 2, np.random.default_rng(0))
    inputs["clinical_present"][:] = 0
    inputs["mammogram_present"][:] = [[1, 0]] * 3
    changed = {name: value.copy() for name, value in inputs.items()}
    changed["clinical"][:] = 9
    changed["mammogram"][:, 1] = 0.5
    before, after = (exporting.run_network(trained, x, bundle.OUTPUTS) for x in (inputs, changed))
    for name in bundle.OUTPUTS:
        np.testing.assert_allclose(before[name], after[name], atol=1e-6)
    assert not before["contributions"][:, 1].any()
    assert not before["mammogram_saliency"][:, 1].any()


def test_places_are_drawn_where_findings_lie() -> None:
    """A disc covers the cells within its radius; a finding without radius is nowhere."""
    spots = np.zeros((1, 1, 2, 3), np.float32)
    spots[0, 0, 0] = (20, 44, 8)
    places = places_of(spots, (64, 56), (8, 7))
    assert places.shape == (1, 1, 2, 8, 7)
    assert places[0, 0, 0, 2, 5] > 0.9
    assert places[0, 0, 0, 6, 1] < 0.01
    assert not places[0, 0, 1].any()


def test_shards_are_rendered_once(settings: Settings) -> None:
    """A second load reads what the first has written, and gives the same."""
    small = data.Cohort("small", 1, 3)
    specs = data.fact_specs(data.draw(small, 0, 3))
    path = settings.work / "shard.npz"
    data.write_shard(path, small, (0, 3), specs, settings)
    first = data._read(path)
    assert np.array_equal(first.images, data.to_arrays(data.draw(small, 0, 3), specs, settings).images)
    assert first.spots[:, 0, 1].any() == np.False_  # no node on CC
    assert [p.name for p in settings.work.glob("shard*")] == ["shard.npz"]
