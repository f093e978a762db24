"""Each image is given what the graph says of it, and each map comes to lie on the right one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent.core.prediction import Category, Estimate, Side
from agent.infer.influence import influences
from agent.preprocess.mammogram import prepare


def with_contribution(mg: float, **more: float) -> Estimate:
    """An estimate to which the mammograms contributed so much."""
    return Estimate(Side.L, 0.5, 0.4, 0.6, Category.NOT_LOW, {"prior": 0.0, "clinical": 0.0, "MG": mg, **more})


def view(uid: str, shape: tuple[int, int] = (40, 30), modality: str = "MG") -> Any:
    """A view whose image is uniform."""
    _, placement = prepare(np.full(shape, 100, np.uint16), inverted=False, height=64, width=48)
    return SimpleNamespace(
        instance=SimpleNamespace(sop_instance_uid=uid, modality=modality),
        source=SimpleNamespace(image_hw=np.zeros(shape, np.uint8), reduction=1.0, frame=0),
        placement=placement,
    )


def uniform(*levels: float) -> np.ndarray:
    """A saliency map a level, of one axilla."""
    return np.stack([np.full((16, 12), level, np.float32) for level in levels])[None]


def evidence(*parts: float) -> np.ndarray:
    """What each image of one axilla contributed."""
    return np.array([parts], np.float32)


def test_each_view_has_what_the_graph_says_that_it_contributed() -> None:
    """With its sign, however strong its saliency; padding behind the views counts for nothing."""
    outputs = {"mammogram_saliency": uniform(0.25, 0.75, 1.0), "mammogram_evidence": evidence(2.5, -0.5, 9.0)}
    one, two = influences(with_contribution(2.0), [view("a"), view("b")], outputs, 0)
    assert (one.contribution, two.contribution) == (2.5, -0.5)
    assert (one.sop_instance_uid, two.side) == ("a", "L")


def test_the_map_has_the_size_of_the_shown_image_and_stays_within_0_and_1() -> None:
    """Even where the graph's own rounding does not."""
    outputs = {"mammogram_saliency": uniform(1.00001), "mammogram_evidence": evidence(1.0)}
    (influence,) = influences(with_contribution(1.0), [view("a", (50, 30))], outputs, 0)
    assert influence.saliency_hw.shape == (50, 30)
    assert influence.saliency_hw.dtype == np.float32
    assert influence.saliency_hw.max() == 1.0


def test_each_modality_has_tensors_of_its_own() -> None:
    """Whatever the order of the views, map and evidence are those of its own place in its own tensor."""
    outputs = {
        "mammogram_saliency": uniform(0.5),
        "mammogram_evidence": evidence(1.0),
        "ultrasound_saliency": uniform(0.2, 0.6),
        "ultrasound_evidence": evidence(-0.5, -1.5),
    }
    views = [view("u1", modality="US"), view("m"), view("u2", modality="US")]
    found = influences(with_contribution(1.0, US=-2.0), views, outputs, 0)
    shares = {i.sop_instance_uid: (i.modality, i.contribution, float(i.saliency_hw.max())) for i in found}
    assert shares == {
        "m": ("MG", pytest.approx(1.0), pytest.approx(0.5)),
        "u1": ("US", pytest.approx(-0.5), pytest.approx(0.2)),
        "u2": ("US", pytest.approx(-1.5), pytest.approx(0.6)),
    }


def test_of_mr_the_key_slice_alone_is_shown() -> None:
    """All that MR contributed is said of it; a row of another axilla is not looked at."""
    outputs = {
        "mri_saliency": np.concatenate([uniform(1.0, 0, 0), uniform(0.1, 0.2, 0.1)]),
        "mri_evidence": np.zeros((2, 3), np.float32),
    }
    views = [view(name, modality="MR") for name in "abc"]
    (influence,) = influences(with_contribution(0, MR=0.7), views, outputs, 1)
    assert (influence.sop_instance_uid, influence.contribution) == ("b", 0.7)


@pytest.mark.parametrize(("count", "middle"), [(1, "a"), (3, "b"), (5, "c")])
def test_of_slices_without_saliency_the_middle_one_is_shown(count: int, middle: str) -> None:
    """Nothing else speaks for one of them."""
    views = [view(name, modality="MR") for name in "abcde"[:count]]
    outputs = {"mri_saliency": uniform(*[0.0] * count), "mri_evidence": evidence(*[0.0] * count)}
    (influence,) = influences(with_contribution(0, MR=0.7), views, outputs, 0)
    assert influence.sop_instance_uid == middle


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_map_that_is_no_number_is_none_at_all(hole: float) -> None:
    """The network's fault: what the image contributed stays, its map is empty and says so; the others keep theirs."""
    saliency = uniform(0.5, 0.5)
    saliency[0, 0, 3, 3] = hole
    outputs = {"mammogram_saliency": saliency, "mammogram_evidence": evidence(0.7, 0.2)}
    broken, sound = influences(with_contribution(0.9), [view("a"), view("b")], outputs, 0)
    assert (broken.is_mapped, sound.is_mapped) == (False, True)
    assert (broken.contribution, float(broken.saliency_hw.max())) == (pytest.approx(0.7), 0.0)
    assert float(sound.saliency_hw.max()) == pytest.approx(0.5)


def test_a_part_that_is_no_number_says_nothing() -> None:
    """Nor does its map, which was made of the same."""
    outputs = {"mammogram_saliency": uniform(0.5), "mammogram_evidence": evidence(np.nan)}
    (broken,) = influences(with_contribution(0.9), [view("a")], outputs, 0)
    assert (broken.is_mapped, broken.contribution, float(broken.saliency_hw.max())) == (False, 0.0, 0.0)


def test_the_key_slice_is_one_whose_map_can_be_used() -> None:
    """Whatever a broken one would weigh; where all are broken the middle one stands for them, without a map."""
    views = [view(name, modality="MR") for name in "abc"]
    for broken, key, is_mapped in (((0, 1), "c", True), ((0, 1, 2), "b", False)):
        saliency = uniform(0.9, 0.9, 0.1)
        saliency[0, list(broken), 0, 0] = np.nan
        outputs = {"mri_saliency": saliency, "mri_evidence": evidence(0.0, 0.0, 0.0)}
        (found,) = influences(with_contribution(0, MR=0.7), views, outputs, 0)
        assert (found.sop_instance_uid, found.is_mapped, found.contribution) == (key, is_mapped, 0.7)
