"""The fusion network itself; needs torch."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")

# what needs torch is imported after the skip
from models import export as exporting
from models.fusion import bundle, data
from models.fusion.calibrate import calibrate
from models.fusion.describe import Concepts, look
from models.fusion.evidence import MASKS, bits, presence
from models.fusion.network import FusionNetwork, divide, saliency
from models.fusion.settings import Settings
from models.fusion.train import restore, save
from models.fusion.train_encoder import encoder_loss, explained, places_of, train_encoder
from models.fusion.train_heads import drop, train_heads
from tests.models.fusion_settings import small

torch.set_num_threads(1)  # of so small a network a second thread only waits for the first

PRESENT = ("clinical_present", "mammogram_present", "ultrasound_present", "mri_present")
MODALITIES = ("MG", "US", "MR")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A run small enough for a test."""
    return small(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def table(settings: Settings) -> data.Table:
    """What is told of 32 patients."""
    patients = data.draw(settings.encoder, 0, 32)
    return data.table(patients, data.fact_specs(patients))


@pytest.fixture(scope="module")
def pictures(settings: Settings) -> dict[str, data.Pictures]:
    """What is shown of them."""
    patients = data.draw(settings.encoder, 0, 32)
    return {one.name: data.pictures(patients, one) for one in settings.imaging}


@pytest.fixture(scope="module")
def trained(settings: Settings, table: data.Table, pictures: dict[str, data.Pictures]) -> FusionNetwork:
    """A network trained for a moment, so that none of its parts is still at zero."""
    torch.manual_seed(0)
    network = FusionNetwork(settings)
    seen = []
    for encoder, one in zip(network.encoders, settings.imaging, strict=True):
        train_encoder(encoder, pictures[one.name], one, settings)
        seen.append(look(encoder, torch.from_numpy(pictures[one.name].images).float() / 255, one))
    concepts = Concepts(tuple(seen))
    train_heads(network.evidence, table, concepts, table, settings)
    calibrate(network, table, concepts.full, table, concepts.full)
    return network.eval()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_few_steps_lower_the_loss(settings: Settings, pictures: dict[str, data.Pictures], index: int) -> None:
    """The encoder of each modality learns."""
    torch.manual_seed(0)
    one = settings.imaging[index]
    encoder = FusionNetwork(settings).encoders[index].train()
    optimiser = torch.optim.AdamW(encoder.parameters(), 1e-2)
    losses = []
    for _ in range(16):
        optimiser.zero_grad()
        loss, concepts = encoder_loss(encoder, pictures[one.name], np.arange(16), one, np.random.default_rng(0))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.85 * losses[0]
    assert concepts.shape == (16, len(one.concepts))


def test_training_goes_on_where_it_stopped(
    settings: Settings,
    pictures: dict[str, data.Pictures],
    trained: FusionNetwork,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Once all epochs are done, training again restores them and takes no step."""
    again = FusionNetwork(settings).encoders[1]
    train_encoder(again, pictures["US"], settings.imaging[1], settings)
    assert "train US" not in capsys.readouterr().out
    for name, value in trained.encoders[1].state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_a_kept_network_comes_back(settings: Settings, trained: FusionNetwork) -> None:
    """Weights, facts and summary survive a file."""
    save(settings.work / "kept.pt", trained, data.FACTS, {"seconds": 3})
    network, specs, summary = restore(settings.work / "kept.pt", settings)
    assert (specs, summary) == (data.FACTS, {"seconds": 3})
    assert torch.equal(network.recalibration.covariance_root, trained.recalibration.covariance_root)


@pytest.mark.parametrize("mask", range(MASKS))
def test_what_is_missing_contributes_nothing(settings: Settings, trained: FusionNetwork, mask: int) -> None:
    """Contributions add up; absent modalities give exactly 0 and change nothing, whatever stands in their place."""
    names = bundle.outputs(settings)
    inputs = bundle.random_inputs(settings, 3, (2, 2, 4), np.random.default_rng(0))
    for bit, name in enumerate(PRESENT):
        inputs[name][:] = mask >> bit & 1
    changed = {name: value.copy() for name, value in inputs.items()}
    for bit, name in enumerate(PRESENT):
        if not mask >> bit & 1:
            changed[name.removesuffix("_present")][:] = 0.7
    before, after = (exporting.run_network(trained, x, names) for x in (inputs, changed))
    np.testing.assert_allclose(before["contributions"].sum(1), before["logit"], atol=1e-5)
    for name in names:
        np.testing.assert_array_equal(before[name], after[name])
    assert [bool(before["contributions"][:, 1 + bit].any()) for bit in range(4)] == [
        bool(mask >> b & 1) for b in range(4)
    ]
    for bit, (saliency_map, evidence) in enumerate(zip(names[3:6], names[6:], strict=True), start=1):
        assert bool(before[saliency_map].any()) == bool(before[evidence].any()) == bool(mask >> bit & 1)
        assert 0 <= before[saliency_map].min() <= before[saliency_map].max() <= 1
        np.testing.assert_allclose(before[evidence].sum(1), before["contributions"][:, 1 + bit], atol=1e-5)


def test_an_absent_image_changes_nothing(settings: Settings, trained: FusionNetwork) -> None:
    """An image that is not present may hold anything, and its map is empty."""
    names = bundle.outputs(settings)
    inputs = bundle.random_inputs(settings, 2, (2, 3, 4), np.random.default_rng(0))
    for name in PRESENT[1:]:
        inputs[name][:] = 1
        inputs[name][:, -1] = 0
    changed = {name: value.copy() for name, value in inputs.items()}
    for name in PRESENT[1:]:
        changed[name.removesuffix("_present")][:, -1] = 0.3
    before, after = (exporting.run_network(trained, x, names) for x in (inputs, changed))
    for name in names:
        np.testing.assert_array_equal(before[name], after[name])
    assert not any(before[name][:, -1].any() for name in names[3:])


def test_the_order_of_images_does_not_matter(settings: Settings, trained: FusionNetwork) -> None:
    """Tumour and node may come in any order, so may slices."""
    inputs = bundle.random_inputs(settings, 2, (2, 3, 4), np.random.default_rng(0))
    turned = {n: x[:, ::-1].copy() if n.startswith(("mammo", "ultra", "mri")) else x for n, x in inputs.items()}
    one, other = (exporting.run_network(trained, x, bundle.outputs(settings)) for x in (inputs, turned))
    np.testing.assert_allclose(one["logit"], other["logit"], atol=1e-4)
    np.testing.assert_allclose(one["mri_saliency"], other["mri_saliency"][:, ::-1], atol=1e-4)


def test_slices_share_one_scale_and_images_have_their_own() -> None:
    """Of a volume the strongest slice alone reaches 1; of separate images each does."""
    gates = torch.full((1, 2, 1, 3, 3), -9.0)
    gates[0, 0, 0, 1, 1], gates[0, 1, 0, 1, 1] = 2.0, -1.0
    evidence, present = torch.ones(1, 1), torch.ones(1, 2)
    volume, images = saliency(gates, evidence, present, True), saliency(gates, evidence, present, False)
    assert volume[0, 0].max() > 0.95 > 0.2 > volume[0, 1].max()
    assert images[0, 1].max() > 0.9


def test_evidence_is_divided_among_the_images_that_show_the_finding() -> None:
    """With its sign, by area; what no image shows is divided evenly, and an image that is not there gets nothing."""
    gates = torch.full((1, 3, 3, 4, 4), -12.0)
    gates[0, 0, 0], gates[0, 1, 0, :, 0], gates[0, 1, 1] = 12.0, 12.0, 12.0
    evidence, present = torch.tensor([[2.0, -1.0, 0.4]]), torch.tensor([[1.0, 1.0, 0.0]])
    found = divide(gates, evidence, present)
    np.testing.assert_allclose(found[0], [1.6 + 0.2, 0.4 - 1.0 + 0.2, 0], atol=1e-3)
    assert torch.equal(divide(gates, evidence * 0, present * 0), torch.zeros(1, 3))


def test_masks_and_bits_are_the_same_thing() -> None:
    """Bit i of the mask says that modality i is there."""
    one_hot = presence(bits())
    assert torch.equal(one_hot, torch.eye(MASKS))
    assert bits()[6].tolist() == [0, 1, 1, 0]


def test_patients_who_are_not_shown_have_facts_alone() -> None:
    """Of others every modality is left out now and then."""
    shown = np.arange(4000) < 2000
    known, mask = drop(np.random.default_rng(0), shown, 8)
    there = mask @ bits()
    assert not there[2000:, 1:].any()
    assert (there[:2000].mean(0) > 0.4).all()
    assert (there[:2000].mean(0) < 0.9).all()
    assert torch.equal(known.amax(1), there[:, 0])


def test_places_are_drawn_where_findings_lie() -> None:
    """A disc covers the cells within its radius; a finding without radius is nowhere."""
    spots = np.zeros((1, 1, 2, 3), np.float32)
    spots[0, 0, 0] = (20, 44, 8)
    places = places_of(spots, (64, 56), (8, 7))
    assert places.shape == (1, 1, 2, 8, 7)
    assert places[0, 0, 0, 2, 5] > 0.9
    assert places[0, 0, 0, 6, 1] < 0.01
    assert not places[0, 0, 1].any()


def test_explained_is_the_squared_correlation() -> None:
    """A concept told backwards is told; noise is not."""
    x = np.random.default_rng(0).standard_normal((500, 2))
    found = np.stack((-2 * x[:, 0] + 1, np.random.default_rng(1).standard_normal(500)), 1)
    perfect, none = explained(found, x)
    assert perfect == pytest.approx(1)
    assert none < 0.05


def test_shards_of_other_settings_are_not_taken_again(settings: Settings) -> None:
    """What the images are made from stands in the file's name; how long an encoder learns does not."""
    cohort, one = data.Cohort("small", 1, 1), settings.imaging[0]
    first = data.shards(cohort, one, settings)
    assert data.shards(cohort, replace(one, epochs=one.epochs + 1), settings) == first
    assert data.shards(cohort, replace(one, preprocessing={"headroom": 1.0}), settings) != first


def test_shards_are_rendered_once(settings: Settings) -> None:
    """A second load reads what the first has written, and gives the same."""
    cohort = data.Cohort("small", 1, 3)
    one = settings.imaging[0]
    paths = data.shards(cohort, one, settings)
    written = [p.stat().st_mtime_ns for p in paths]
    first = data.join([data.read(p) for p in paths])
    assert np.array_equal(first.images, data.pictures(data.draw(cohort, 0, 3), one).images)
    assert not first.places[:, 0, 1].any()  # no node on CC
    assert [p.stat().st_mtime_ns for p in data.shards(cohort, one, settings)] == written
    assert not list(settings.work.rglob("*.partial"))


def test_findings_lie_where_the_images_say(pictures: dict[str, data.Pictures]) -> None:
    """Each modality shows each finding of every patient in at least one image, within its tensor."""
    for name in MODALITIES:
        places, size = pictures[name].places, pictures[name].images.shape[-2:]
        assert (places[..., 2].max(1) > 0).all(), name
        seen = places[places[..., 2] > 0]
        assert (seen[:, :2] >= 0).all(), name
        assert (seen[:, :2] <= size).all(), name
