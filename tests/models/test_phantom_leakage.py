"""Mean brightness of the phantom's images gives little of the outcome away."""

import numpy as np
import pytest

from agent.preprocess import mammogram as mammograms
from agent.preprocess import mri as dynamic
from agent.preprocess import ultrasound as sonograms
from models import phantom
from models.phantom import mammogram, mri, ultrasound
from models.phantom.bayes import auc, share_of_excess
from models.statistics import discrimination
from models.statistics.calibration import logistic

PATIENTS = 400


def of_mammograms(someone: phantom.Patient) -> list[np.ndarray]:
    """Tensors of both views, at a quarter of their size."""
    views = [mammogram.render(someone, someone.side, view, 80, 64) for view in mammogram.VIEWS]
    return [mammograms.prepare(view, inverted=False, height=64, width=52)[0] for view in views]


def of_ultrasound(someone: phantom.Patient) -> list[np.ndarray]:
    """Tensors of tumour and node, at half their size."""
    images = [ultrasound.render(someone, someone.side, target, 64, 64) for target in ultrasound.TARGETS]
    scale = {"height": 64, "width": 64, "tensor_pixel_mm": 0.8}
    return [sonograms.prepare(image, pixel_mm=ultrasound.FIELD_MM / 64, **scale)[0] for image in images]  # type: ignore[arg-type]


def of_mri(someone: phantom.Patient) -> list[np.ndarray]:
    """All slices of each phase of the tensor, at half its size."""
    pixel_mm = mri.FIELD_HEIGHT_MM / 60, mri.FIELD_WIDTH_MM / 96
    tensor, _ = dynamic.prepare(
        mri.volume(someone, 60, 96),
        pixel_mm=pixel_mm,
        side="L" if someone.side == "L" else "R",
        columns_to_left=True,
        height=40,
        width=48,
        tensor_pixel_mm=3.2,
        phases=mri.PHASES,
    )
    return list(tensor.swapaxes(0, 1))


@pytest.mark.parametrize(
    ("modality", "tensors"), [("MG", of_mammograms), ("US", of_ultrasound), ("MR", of_mri)], ids=["MG", "US", "MR"]
)
def test_brightness_gives_little_away(modality: str, tensors: object) -> None:
    """A logistic model on mean and deviation of the tensors keeps at most half of the excess over chance."""
    patients = [phantom.patient(9, str(i), sides=("LR"[i % 2],)) for i in range(PATIENTS)]
    moments = np.array([[m for t in tensors(p) for m in (t.mean(), t.std())] for p in patients])  # type: ignore[operator]
    moments = (moments - moments.mean(0)) / moments.std(0)
    positive = np.array([p.outcomes[p.side] for p in patients])
    scores, fold = np.zeros(PATIENTS), np.arange(PATIENTS) < PATIENTS // 2
    for held_out in (fold, ~fold):
        beta = logistic(moments[~held_out], positive[~held_out], ridge=1e-3)
        scores[held_out] = moments[held_out] @ beta[:-1]
    found = discrimination.auc(scores, positive)
    assert share_of_excess(found.value, auc(frozenset({modality}))) <= 0.5


@pytest.mark.parametrize(("make", "latent"), [(of_mammograms, "size"), (of_ultrasound, "cortex"), (of_mri, "uptake")])
def test_the_same_latents_look_different_each_time(make: object, latent: str) -> None:
    """Two women with the same latents differ more in mean brightness than one woman with a latent moved by one."""
    plain, moved = (phantom.Axilla(*(x if name == latent else 0.0 for name in LATENTS)) for x in (-0.5, 0.5))
    means = np.array([[_mean(make, str(i), axilla) for axilla in (plain, moved)] for i in range(12)])
    assert means.std(0).mean() > abs(means[:, 1] - means[:, 0]).mean()


LATENTS = tuple(phantom.Axilla.__dataclass_fields__)


def _mean(make: object, patient_id: str, axilla: phantom.Axilla) -> float:
    someone = phantom.patient(3, patient_id, axillae={"L": axilla})
    return float(np.mean([t.mean() for t in make(someone)]))  # type: ignore[operator]
