"""Rules for who and what stands behind the numbers of an SR: the model, its images, and the words at the region."""

from collections import Counter
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from agent.core.instance import Instance
from agent.dicom import codes, uids
from agent.report import tree
from agent.report.draft import Draft
from agent.report.rules_tree import algorithm, comments
from agent.report.slot import Finished


def comments_stand_beside_the_region(draft: Draft, one: Finished) -> bool:
    """What the box shows, and that it is not for clinical use: both are lines of the label that viewers draw."""
    return [str(item.TextValue) for item in _of_group(one, codes.COMMENT)] == list(comments(draft, one))


def algorithm_is_the_results(draft: Draft, one: Finished) -> bool:
    """Name, version, maker, software, manifest and use of the model that answered (TID 4019)."""
    names = {tree.code(name) for name, _ in algorithm(draft)}
    said = [
        (tree.name(item), str(item.TextValue))
        for group in one.tree.named(codes.MEASUREMENT_GROUP)
        for item in tree.children(group, "TEXT")
        if tree.name(item) in names
    ]
    family = [tree.code(item.ConceptCodeSequence[0]) for item in _of_group(one, codes.ALGORITHM_FAMILY)]
    return family == [tree.code(codes.ARTIFICIAL_INTELLIGENCE)] and said == [
        (tree.code(name), text) for name, text in algorithm(draft)
    ]


def library_holds_every_image(draft: Draft, one: Finished) -> bool:
    """Every image that was given to the model, once, below what is said of its group."""
    wanted = {i.sop_instance_uid: i for i in draft.evidence}
    named: Counter[str] = Counter()
    for group in one.tree.named(codes.IMAGE_LIBRARY_GROUP):
        said = _described(group)
        for entry in tree.children(group, "IMAGE"):
            uid = str(entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            if uid not in wanted or said != _descriptors(wanted[uid]):
                return False
            named[uid] += 1
    return named == Counter(wanted.keys()) and len(one.tree.named(codes.IMAGE_LIBRARY)) == 1


def finding_site_is_the_axilla(draft: Draft, one: Finished) -> bool:
    """The risk is one of the axillary lymph nodes, nothing else of the breast."""
    found = [tree.code(item.ConceptCodeSequence[0]) for item in _of_group(one, codes.FINDING_SITE)]
    return found == [tree.code(codes.AXILLARY_NODE)] and len(one.tree.named(codes.FINDING_SITE)) == 1


def tracking_uid_is_the_results(draft: Draft, one: Finished) -> bool:
    """The group is tracked by the UID of this answer of this version: overlays have the same one."""
    result, side = draft.result, one.slot.axilla
    wanted = uids.tracking_uid(result.installation, result.case_uuid, result.version, result.question, side)
    return [str(item.UID) for item in one.tree.named(codes.TRACKING_UNIQUE_IDENTIFIER)] == [wanted]


def _of_group(one: Finished, name: CodedConcept) -> list[Dataset]:
    groups = one.tree.named(codes.MEASUREMENT_GROUP)
    return [item for group in groups for item in tree.below(group) if tree.is_named(item, name)]


def _described(group: Dataset) -> Counter[tuple[tree.Code, object]]:
    """Return what is said of a group of images, name by name."""
    coded = [(tree.name(i), tree.code(i.ConceptCodeSequence[0])) for i in tree.children(group, "CODE")]
    return Counter([*coded, *((tree.name(i), tree.number(i)) for i in tree.children(group, "NUM"))])


def _descriptors(instance: Instance) -> Counter[tuple[tree.Code, object]]:
    """Return what is to be said of an image (TID 1602)."""
    modality = codes.MODALITIES.get(instance.modality, codes.MODALITIES["OT"])
    side = codes.SIDES.get(instance.laterality)
    coded = [(codes.MODALITY, modality), *([(codes.IMAGE_LATERALITY, side)] if side else [])]
    return Counter(
        [
            *((tree.code(name), tree.code(value)) for name, value in coded),
            (tree.code(codes.PIXEL_DATA_ROWS), float(instance.rows)),
            (tree.code(codes.PIXEL_DATA_COLUMNS), float(instance.columns)),
        ]
    )


RULES: Final = (
    comments_stand_beside_the_region,
    algorithm_is_the_results,
    library_holds_every_image,
    finding_site_is_the_axilla,
    tracking_uid_is_the_results,
)
