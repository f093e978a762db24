"""A version's result: run the model for the axillae it can answer for, and say why of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.manifest import BundleManifest
from agent.core.prediction import Estimate, NoEstimate, Side
from agent.core.result import Influence, LeftOut, Result, SourceImage
from agent.infer.engine import Engine
from agent.infer.estimate import estimate_axilla, is_certain, prior_shift
from agent.infer.influence import influences
from agent.infer.inputs import CLINICAL, tensors
from agent.infer.question import Asked
from agent.infer.statement import Outcome, Setting, state
from agent.infer.view import Images, View
from agent.preprocess.tabular import Encoded, encode

TOO_UNCERTAIN: Final = "the model is less certain than of 99 in 100 patients of the training data"
NO_EVIDENCE: Final = "neither clinical facts nor images that the model can use"


@dataclass(frozen=True)
class Computed:
    """A result, with the images that it rests on."""

    result: Result
    sources: tuple[SourceImage, ...]


def abstain(setting: Setting, engine: Engine, asked: Asked, reason: str) -> Result:
    """Say of every axilla why there is no estimate. The model is not run, and no number is given."""
    answers = tuple(NoEstimate(side, own or reason) for side, own in asked.axillae.items())
    return state(setting, engine, asked, Outcome(answers or (NoEstimate(None, reason),)))


def compute(setting: Setting, engine: Engine, asked: Asked, images: Images) -> Computed:
    """Answer for each axilla, in one run of the model.

    Raises
    ------
    Permanent
        If the model does not answer as its manifest says.
    Transient
        If the device fails.
    """
    encoded = encode(asked.facts, engine.manifest.facts, asked.asked_on)
    present = {side: _present(encoded, images.views[side]) for side in asked.open_sides}
    refused = {side: _refusal(engine.manifest, present[side]) for side in asked.open_sides}
    answered = tuple(side for side, reason in refused.items() if not reason)
    views = {side: images.views[side] for side in answered}
    estimates, found = _run(engine, encoded, views, present, setting.site_prevalence)
    certain = {estimate.side for estimate in estimates}
    refused |= {side: TOO_UNCERTAIN for side in views if side not in certain}
    views = {side: of_axilla for side, of_axilla in views.items() if side in certain}
    others = [NoEstimate(side, own or refused[side]) for side, own in asked.axillae.items() if side not in views]
    sources = [source for of_axilla in views.values() for view in of_axilla for source in view.sources]
    used = _index_study_first(_told_apart(sources, found))
    outcome = Outcome(
        answers=(*sorted(estimates, key=lambda e: (-e.probability, e.side)), *others),
        used=tuple({source.instance.sop_instance_uid: source.instance for source in used}.values()),
        encoded=encoded if estimates else None,
        present=frozenset[str]().union(*present.values()),
        influences=found,
        left_out=tuple(LeftOut(u.instance.sop_instance_uid, u.reason, u.instance.modality) for u in images.unused),
    )
    return Computed(state(setting, engine, asked, outcome), used)


def _present(encoded: Encoded, views: Sequence[View]) -> frozenset[str]:
    return frozenset(view.instance.modality for view in views) | ({CLINICAL} if encoded.used else set())


def _refusal(manifest: BundleManifest, present: frozenset[str]) -> str:
    """Why the model cannot answer for an axilla with this evidence; empty if it can."""
    for modality in manifest.required:
        if modality not in present:
            return f"nothing usable of {modality}, without which the model does not answer"
    return "" if present else NO_EVIDENCE


def _run(
    engine: Engine,
    encoded: Encoded,
    views: Mapping[Side, tuple[View, ...]],
    present: Mapping[Side, frozenset[str]],
    site_prevalence: float | None,
) -> tuple[list[Estimate], tuple[Influence, ...]]:
    if not views:
        return [], ()
    manifest = engine.manifest
    shift = prior_shift(site_prevalence, manifest.training_prevalence)
    outputs = engine.run(tensors(manifest, encoded, list(views.values())))
    estimates: list[Estimate] = []
    found: list[Influence] = []
    for row, (side, of_axilla) in enumerate(views.items()):
        estimate = estimate_axilla(side, manifest, outputs, row, present=present[side], shift=shift)
        if is_certain(manifest, outputs, row):
            estimates.append(estimate)
            found.extend(influences(estimate, of_axilla, outputs, row))
    return estimates, tuple(found)


def _told_apart(sources: Sequence[SourceImage], found: Sequence[Influence]) -> list[SourceImage]:
    """Return each object once; of one of several frames those that had influence, where any had."""
    telling = {(one.sop_instance_uid, one.frame) for one in found}
    objects = {uid for uid, _ in telling}
    kept: dict[tuple[str, int], SourceImage] = {}
    for source in sources:
        uid, frame = source.instance.sop_instance_uid, source.frame
        if (uid, frame) in telling:
            kept[uid, frame] = source
        elif uid not in objects:
            kept.setdefault((uid, 0), source)
    return list(kept.values())


def _index_study_first(sources: Sequence[SourceImage]) -> tuple[SourceImage, ...]:
    """Order the images by study, the newest study first."""

    def day(source: SourceImage) -> int:
        return source.instance.acquired_on.toordinal() if source.instance.acquired_on else 0

    newest: dict[str, int] = {}
    for source in sources:
        study = source.instance.study_instance_uid
        newest[study] = max(newest.get(study, 0), day(source))

    def order(source: SourceImage) -> tuple[int, str]:
        study = source.instance.study_instance_uid
        return -newest[study], study

    return tuple(sorted(sources, key=order))
