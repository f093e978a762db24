"""From the images of a case to views: each modality has its way, chosen by the manifest's name for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from agent.core.instance import Instance
from agent.core.manifest import BundleManifest
from agent.core.ports import StoredInstance
from agent.core.prediction import Side
from agent.core.roles import RoleTable, Verdict
from agent.infer.inputs import IMAGE_INPUTS
from agent.infer.mammograms import prepare_mammograms
from agent.infer.mri import prepare_mri
from agent.infer.question import Asked
from agent.infer.reader import ImageReader
from agent.infer.selection import refusal
from agent.infer.ultrasound import prepare_ultrasound
from agent.infer.view import Images, Unused, joined

Prepare: TypeAlias = Callable[
    [Sequence[StoredInstance], Sequence[Side], Mapping[str, Any], ImageReader, Callable[[Instance], Verdict]],
    Images,
]

PREPARE: Final[Mapping[str, Prepare]] = {"MG": prepare_mammograms, "US": prepare_ultrasound, "MR": prepare_mri}


def prepare_images(
    instances: Sequence[StoredInstance], asked: Asked, manifest: BundleManifest, reader: ImageReader, roles: RoleTable
) -> Images:
    """Choose, decode and preprocess the images of all axillae that are asked about."""
    sides = asked.open_sides
    reasons = refusals(instances, asked, manifest, roles)
    parts = [Images({}, tuple(Unused(one, reason) for one, reason in reasons if reason))]
    for modality, prepare in PREPARE.items():
        kept = [one for one, reason in reasons if not reason and one.instance.modality == modality]
        if kept:
            parts.append(prepare(kept, sides, manifest.preprocessing[IMAGE_INPUTS[modality]], reader, roles.verdict))
    return joined(parts, sides)


def refusals(
    instances: Sequence[StoredInstance], asked: Asked, manifest: BundleManifest, roles: RoleTable
) -> list[tuple[StoredInstance, str]]:
    """Every image, and why its header alone says that it is not used; empty: it can be. No pixels are looked at."""
    sides, window, modalities = asked.open_sides, asked.window, manifest.modalities
    return [(one, refusal(one.instance, roles.verdict(one.instance), sides, window, modalities)) for one in instances]
