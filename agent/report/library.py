"""The Image Library of an SR (TID 1600): every image that was given to the model."""

from collections.abc import Sequence

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
)

from agent.core.instance import Instance
from agent.dicom import codes

_ACQUISITION = RelationshipTypeValues.HAS_ACQ_CONTEXT
_CONTAINS = RelationshipTypeValues.CONTAINS


def image_library(instances: Sequence[Instance]) -> ContainerContentItem:
    """Return the library, one group for images that are alike: what they share is said once, of the group.

    A dynamic MR has hundreds. highdicom's own library takes orientation and spacing for granted; sources that lack
    them are not to stop a report.
    """
    groups: dict[tuple[str, str, int, int], list[Instance]] = {}
    for one in instances:
        groups.setdefault((one.modality, one.laterality, one.rows, one.columns), []).append(one)
    library = ContainerContentItem(codes.IMAGE_LIBRARY, relationship_type=_CONTAINS)
    library.ContentSequence = ContentSequence([_group(members) for members in groups.values()])
    return library


def _group(instances: Sequence[Instance]) -> ContainerContentItem:
    group = ContainerContentItem(codes.IMAGE_LIBRARY_GROUP, relationship_type=_CONTAINS)
    group.ContentSequence = ContentSequence([*_descriptors(instances[0]), *map(_entry, instances)])
    return group


def _entry(instance: Instance) -> ImageContentItem:
    return ImageContentItem(
        codes.SOURCE,
        referenced_sop_class_uid=instance.sop_class_uid,
        referenced_sop_instance_uid=instance.sop_instance_uid,
        relationship_type=_CONTAINS,
    )


def _descriptors(instance: Instance) -> list[ContentItem]:
    modality = codes.MODALITIES.get(instance.modality, codes.MODALITIES["OT"])
    items: list[ContentItem] = [CodeContentItem(codes.MODALITY, modality, _ACQUISITION)]
    if instance.laterality in codes.SIDES:
        items.append(CodeContentItem(codes.IMAGE_LATERALITY, codes.SIDES[instance.laterality], _ACQUISITION))
    for name, value in ((codes.PIXEL_DATA_ROWS, instance.rows), (codes.PIXEL_DATA_COLUMNS, instance.columns)):
        items.append(NumContentItem(name, value, codes.PIXELS, relationship_type=_ACQUISITION))
    return items
