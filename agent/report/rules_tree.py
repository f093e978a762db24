"""Rules for what a content tree holds besides: nothing that the result does not say, and nothing elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from agent.core.result import Kind
from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft
from agent.report.inputs import is_uid
from agent.report.rules_sr import estimate_of
from agent.report.rules_text import Said, coded, page
from agent.report.slot import Finished
from agent.report.words import SHORT_DISCLAIMER, influence_on

RELATIONS: Final = frozenset(
    {
        *(("CONTAINER", "CONTAINS", t) for t in ("CONTAINER", "TEXT", "CODE", "NUM", "IMAGE", "COMPOSITE")),
        *(("CONTAINER", "HAS OBS CONTEXT", t) for t in ("TEXT", "CODE", "UIDREF")),
        *(("CONTAINER", "HAS ACQ CONTEXT", t) for t in ("CODE", "NUM")),
        *((t, "HAS CONCEPT MOD", "CODE") for t in ("CONTAINER", "CODE")),
        ("CONTAINER", "HAS CONCEPT MOD", "TEXT"),
        ("NUM", "INFERRED FROM", "SCOORD"),
        ("SCOORD", "SELECTED FROM", "IMAGE"),
    }
)
"""What may stand below what, and how: a part of what the IODs allow (PS3.3 tables A.35.2-2, A.35.3-2, A.35.4-2)."""

_CONTRIBUTIONS: Final = (*codes.CONTRIBUTION_OF.values(), codes.CONTRIBUTION_OF_ANOTHER)
_QUESTIONS: Final = tuple(codes.QUESTIONS.values())
_NUMBERS: Final = (*(q.probability for q in _QUESTIONS), codes.CI_LOWER, codes.CI_UPPER)
_OBSERVER: Final = (codes.LANGUAGE, codes.OBSERVER_TYPE, codes.DEVICE_OBSERVER_UID)
_HEADS: Final = (
    codes.CONCLUSIONS,
    codes.QUESTION,
    codes.FINDINGS,
    codes.CONTRIBUTIONS,
    codes.EVIDENCE,
    codes.LIMITS,
)
_ROOT: Final[Mapping[Kind, tuple[CodedConcept, ...]]] = {
    Kind.SR: (*_OBSERVER, codes.PROCEDURE_REPORTED, *_HEADS, codes.IMAGE_LIBRARY, codes.IMAGING_MEASUREMENTS),
    Kind.TEXT_SR: (*_OBSERVER, *_HEADS),
}
_BELOW: Final[Mapping[CodedConcept, tuple[CodedConcept, ...]]] = {
    codes.FINDINGS: (codes.OPERATING_POINT, codes.PREVALENCE),
    codes.OPERATING_POINT: (
        *(codes.CATEGORY_MEANING, codes.INPUT, codes.THRESHOLD, codes.SENSITIVITY, codes.SPECIFICITY),
        *(codes.NPV, codes.PPV),
    ),
    codes.PREVALENCE: (codes.TRAINING_PREVALENCE, codes.SITE_PREVALENCE, codes.LOG_ODDS_SHIFT),
    codes.CONTRIBUTIONS: (codes.STARTING_POINT, *_CONTRIBUTIONS),
    codes.EVIDENCE: (codes.INPUTS_USED, codes.LEFT_OUT, codes.CASE_COMPLETENESS),
    codes.INPUTS_USED: (codes.INPUT,),
    codes.LEFT_OUT: (codes.INPUT, codes.INSTANCES_LEFT_OUT),
    codes.CASE_COMPLETENESS: (codes.INSTANCES_HERE, codes.INSTANCES_LISTED),
    codes.LIMITS: (codes.INTENDED_USE, codes.TRAINING_PREVALENCE),
    codes.IMAGE_LIBRARY: (codes.IMAGE_LIBRARY_GROUP,),
    codes.IMAGE_LIBRARY_GROUP: (
        *(codes.MODALITY, codes.IMAGE_LATERALITY, codes.SOURCE),
        *(codes.PIXEL_DATA_ROWS, codes.PIXEL_DATA_COLUMNS),
    ),
    codes.IMAGING_MEASUREMENTS: (codes.MEASUREMENT_GROUP,),
    codes.MEASUREMENT_GROUP: (
        *(codes.TRACKING_UNIQUE_IDENTIFIER, codes.FINDING, codes.FINDING_SITE, codes.ALGORITHM_FAMILY),
        *(codes.COMPLETENESS, codes.SOURCE_OF_MEASUREMENT, *_NUMBERS, *(q.category for q in _QUESTIONS)),
    ),
    codes.FINDING_SITE: (codes.LATERALITY,),
    codes.SOURCE: (codes.SOURCE,),
    **dict.fromkeys(_NUMBERS, (codes.SOURCE,)),
}
"""Names of what may stand below a heading beside sentences, which are compared by themselves."""


def _names(table: Mapping[CodedConcept, tuple[CodedConcept, ...]]) -> dict[tree.Code, frozenset[tree.Code]]:
    return {_code(parent): frozenset(map(_code, below)) for parent, below in table.items()}


def _code(concept: CodedConcept) -> tree.Code:
    return str(concept.value), str(concept.scheme_designator)


ALLOWED: Final = _names(_BELOW)
AT_THE_ROOT: Final = {kind: frozenset(map(_code, names)) for kind, names in _ROOT.items()}
NOTHING: Final[frozenset[tree.Code]] = frozenset()


def items_are_related_as_allowed(draft: Draft, one: Finished) -> bool:
    """Every item stands in a relation to the one above that its SOP class allows."""
    return all(
        (tree.value_type(parent), tree.relation(item), tree.value_type(item)) in RELATIONS
        for parent, item in _pairs(one)
    )


def items_stand_where_they_belong(draft: Draft, one: Finished) -> bool:
    """No number, code, image or heading stands where the page has none, and none twice at the root."""
    at_root = [tree.name(item) for item in tree.below(one.ds) if tree.value_type(item) != "TEXT"]
    if len(set(at_root)) != len(at_root) or not AT_THE_ROOT[one.slot.kind].issuperset(at_root):
        return False
    return all(
        tree.name(item) in ALLOWED.get(tree.name(parent), NOTHING)
        for parent, item in _pairs(one)
        if parent is not one.ds and tree.value_type(item) != "TEXT"
    )


def no_other_sentence(draft: Draft, one: Finished) -> bool:
    """All text of a document is the statements of the result, who observed, and names: no sentence more."""
    wanted = _page(draft) if one.slot.kind is Kind.TEXT_SR else _coded(draft, one)
    return Counter((tree.name(item), tree.text(item)) for item in one.tree.typed("TEXT")) == Counter(wanted)


def _pairs(one: Finished) -> Iterator[tuple[Dataset, Dataset]]:
    """Yield every item with the one above."""
    for parent in (one.ds, *one.tree.items):
        for item in tree.below(parent):
            yield parent, item


def _page(draft: Draft) -> Iterator[Said]:
    for said in page(draft).values():
        yield from said
    yield from _observer(draft)


def _coded(draft: Draft, one: Finished) -> Iterator[Said]:
    """Yield what the SR of one axilla says in text, wherever it stands."""
    for said in coded(draft, estimate_of(draft, one)).values():
        yield from said
    yield from _observer(draft)
    yield _code(codes.TRACKING_IDENTIFIER), f"{draft.words.short} risk {one.slot.axilla}"
    yield from ((_code(codes.COMMENT), line) for line in comments(draft, one))
    yield from ((_code(name), text) for name, text in algorithm(draft))
    yield from ((_code(codes.CLINICAL_FACT), fact) for fact in draft.result.facts_used)
    yield from _left_out(draft)


def _left_out(draft: Draft) -> Iterator[Said]:
    """Yield the facts that were left out, and each reason as often as it is counted by itself."""
    english = draft.words.in_english
    images = {(item.modality, item.reason) for item in draft.result.left_out if is_uid(item.what)}
    facts = [item for item in draft.result.left_out if not is_uid(item.what)]
    yield from ((_code(codes.CLINICAL_FACT), item.what) for item in facts)
    for reason in (*(reason for _, reason in images), *(item.reason for item in facts)):
        yield _code(codes.REASON), english.stored(reason)


def _observer(draft: Draft) -> Iterator[Said]:
    device = draft.device
    yield _code(codes.DEVICE_OBSERVER_NAME), device.name
    yield _code(codes.DEVICE_OBSERVER_MANUFACTURER), device.manufacturer
    yield _code(codes.DEVICE_OBSERVER_MODEL), device.model
    yield _code(codes.DEVICE_OBSERVER_SERIAL), device.serial


def comments(draft: Draft, one: Finished) -> tuple[str, str]:
    """Return the lines above the numbers beside the region."""
    return influence_on(draft.words.short, estimate_of(draft, one).side), SHORT_DISCLAIMER


def algorithm(draft: Draft) -> tuple[tuple[CodedConcept, str], ...]:
    """Return what a group says in text of the model and the software that ran it."""
    model, device = draft.result.model, draft.device
    return (
        (codes.ALGORITHM_NAME, model.name),
        (codes.ALGORITHM_VERSION, model.version),
        (codes.ALGORITHM_MANUFACTURER, device.manufacturer),
        (codes.ALGORITHM_PARAMETERS, f"software={device.model} {device.software_version}"),
        (codes.ALGORITHM_PARAMETERS, f"manifest_sha256={model.digest}"),
        (codes.ALGORITHM_PARAMETERS, f"intended_use={model.intended_use}"),
    )


FOR_TREES: Final = (items_are_related_as_allowed,)
FOR_DOCUMENTS: Final = (items_stand_where_they_belong, no_other_sentence)
