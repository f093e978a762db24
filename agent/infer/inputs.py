"""What serving can make for a graph: its input tensors, from views and facts. Another graph is refused at load."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.core.errors import Permanent, Rejected
from agent.core.manifest import BundleManifest, Tensor
from agent.infer.view import View
from agent.preprocess import mammogram, mri, ultrasound
from agent.preprocess.placement import Floats
from agent.preprocess.tabular import Encoded

CLINICAL: Final = "clinical"
IMAGE_INPUTS: Final[Mapping[str, str]] = {"MG": "mammogram", "US": "ultrasound", "MR": "mri"}
"""By modality, its input; beside it stand "<name>_present" and the outputs "<name>_saliency", "<name>_evidence"."""

_TRIALS: Final[Mapping[str, Callable[[Mapping[str, Any]], Floats]]] = {
    "mammogram": lambda settings: mammogram.prepare(_disc(), inverted=False, **settings)[0][None],
    "ultrasound": lambda settings: ultrasound.prepare(_disc(), pixel_mm=1.0, **settings)[0][None],
    "mri": lambda settings: mri.prepare(
        np.stack([_disc(), 2 * _disc()])[:, None], pixel_mm=(1.0, 1.0), side="L", columns_to_left=True, **settings
    )[0][0],
}


def tensors(manifest: BundleManifest, encoded: Encoded, views: Sequence[Sequence[View]]) -> dict[str, Floats]:
    """Lay out one batch: N axillae, what is missing marked as not present.

    Parameters
    ----------
    manifest
        Names the inputs; those of a modality that it does not have are left away.
    encoded
        The patient's facts: the same for each axilla.
    views
        For each axilla its views of all modalities.

    Returns
    -------
    dict
        clinical, clinical_present (N, F); for each image modality its input (N, K, C, H, W) and present (N, K), K >= 1
    """
    rows = len(views)
    inputs = {
        CLINICAL: np.tile(encoded.values, (rows, 1)),
        f"{CLINICAL}_present": np.tile(encoded.present, (rows, 1)),
    }
    for modality, name in IMAGE_INPUTS.items():
        if modality in manifest.modalities:
            of_modality = [[view for view in of_axilla if view.instance.modality == modality] for of_axilla in views]
            inputs |= _image_tensors(name, manifest.preprocessing[name], of_modality)
    return {tensor.name: inputs[tensor.name] for tensor in manifest.inputs}


def _image_tensors(name: str, settings: Mapping[str, Any], views: Sequence[Sequence[View]]) -> dict[str, Floats]:
    most = max([1, *(len(of_axilla) for of_axilla in views)])
    shape = (settings.get("phases", 1), settings["height"], settings["width"])
    batch = np.zeros((len(views), most, *shape), np.float32)
    present = np.zeros((len(views), most), np.float32)
    for row, of_axilla in enumerate(views):
        for column, view in enumerate(of_axilla):
            batch[row, column] = view.tensor_chw
            present[row, column] = 1
    return {name: batch, f"{name}_present": present}


def check_graph(where: object, manifest: BundleManifest) -> None:
    """Refuse a bundle that this version cannot serve: unknown inputs, outputs or preprocessing.

    Parameters
    ----------
    where
        The manifest's path, for the message.
    manifest
        What the bundle says of itself.

    Raises
    ------
    Permanent
        With what does not fit, and what to do.
    """
    try:
        for modality in manifest.modalities:
            if modality not in (CLINICAL, *IMAGE_INPUTS):
                raise _Unfit(f"it uses the modality {modality}")
        names = [CLINICAL, *(IMAGE_INPUTS[m] for m in manifest.modalities if m in IMAGE_INPUTS)]
        _check_names(manifest, names)
        _check_size(_named(manifest.inputs, CLINICAL), (len(manifest.facts),), "facts")
        _check_size(_named(manifest.outputs, "contributions"), (1 + len(manifest.modalities),), "modalities")
        for name in names[1:]:
            _check_size(
                _named(manifest.inputs, name), _trial(name, manifest.preprocessing[name]).shape, "preprocessing"
            )
    except _Unfit as exc:
        raise Permanent(f"{where}: this version of sentinode cannot serve it: {exc}; export the bundle again") from None


class _Unfit(Exception):
    """Why a bundle cannot be served."""


def _check_names(manifest: BundleManifest, names: Sequence[str]) -> None:
    """Every input can be made, and every output is there that is read."""
    wanted = {
        "input": {*names, *(f"{name}_present" for name in names)},
        "output": {"logit", "logit_sd", "contributions", *_of_images(names[1:])},
        "preprocessing": set(names[1:]),
    }
    inputs, outputs = ({tensor.name for tensor in tensors} for tensors in (manifest.inputs, manifest.outputs))
    found = {"input": inputs, "output": outputs, "preprocessing": set(manifest.preprocessing)}
    for role, expected in wanted.items():
        lacking = expected - found[role]
        unknown = found[role] - expected if role == "input" else set[str]()
        if lacking or unknown:
            what = f"lacks the {role} {min(lacking)}" if lacking else f"has the unknown {role} {min(unknown)}"
            raise _Unfit(f"it {what}")


def _of_images(names: Sequence[str]) -> set[str]:
    return {f"{name}_{kind}" for name in names for kind in ("saliency", "evidence")}


def _named(tensors: Sequence[Tensor], name: str) -> Tensor:
    return next(tensor for tensor in tensors if tensor.name == name)


def _check_size(tensor: Tensor, made: tuple[int, ...], by: str) -> None:
    """The last sizes of a tensor are what is made for it; a size that may vary fits anything."""
    stated = tensor.shape[len(tensor.shape) - len(made) :]
    if any(isinstance(size, int) and size != other for size, other in zip(stated, made, strict=False)):
        raise _Unfit(f"{tensor.name} is {list(tensor.shape)}, the {by} make {list(made)}")


def _trial(name: str, settings: Mapping[str, Any]) -> Floats:
    """Prepare a made-up image: the surest way to know whether the settings can be followed."""
    try:
        return _TRIALS[name](settings)
    except (ArithmeticError, LookupError, MemoryError, Rejected, TypeError, ValueError) as exc:
        raise _Unfit(f"the preprocessing of {name} cannot be followed ({exc})") from None


def _disc() -> NDArray[np.uint16]:
    """A bright disc on a dark ground, 128 x 128 pixels."""
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    return np.asarray(1000 * (x**2 + y**2 < 0.8) * (2.5 + x + y), np.uint16)
