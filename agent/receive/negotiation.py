"""What is accepted: every storage SOP class and transfer syntax that pydicom names, and those it does not name yet.

No object is decoded on receipt, so an unknown compression is no reason to refuse one. Services that carry no object
speak Implicit or Explicit VR Little Endian.
"""

from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Final

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)
from pynetdicom.presentation import PresentationContext, build_context

from agent.core.services import (
    LATER_TRANSFER_SYNTAXES,
    MESSAGE_TRANSFER_SYNTAXES,
    STORAGE_COMMITMENT,
    VERIFICATION,
)

STORAGE_SOP_CLASSES: Final = {
    uid: keyword
    for uid, (name, kind, _, _, keyword) in UID_dictionary.items()
    if kind == "SOP Class"
    and "Storage" in name
    and "Storage Commitment" not in name
    and uid != MediaStorageDirectoryStorage  # a DICOMDIR stays on its medium
}
"""Storage SOP classes, current and retired, of PS3.6 table A-1: UID -> keyword."""

TRANSFER_SYNTAXES: Final = tuple(
    dict.fromkeys(
        [*(uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"), *LATER_TRANSFER_SYNTAXES]
    )
)
"""Transfer syntaxes, current and retired, of PS3.6 table A-1, the uncompressed ones first."""

_TAKEN: Final = dict.fromkeys(STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES) | dict.fromkeys(
    (VERIFICATION, STORAGE_COMMITMENT), MESSAGE_TRANSFER_SYNTAXES
)  # SOP class -> transfer syntaxes


_BY_KEYWORD: Final = {keyword: uid for uid, keyword in STORAGE_SOP_CLASSES.items()}


def storage_sop_class(name: str) -> str:
    """Return the UID of a storage SOP class of this keyword or UID. Raises ValueError if there is none."""
    uid = _BY_KEYWORD.get(name, name)
    if uid not in STORAGE_SOP_CLASSES:
        raise ValueError(f"{name} is no storage SOP class: write a UID or a keyword such as CTImageStorage")
    return uid


def acceptable(
    proposed: Sequence[PresentationContext], sop_classes: Container[str] | None = None
) -> list[PresentationContext]:
    """Return what we support of the proposed presentation contexts, transfer syntaxes in the sender's order.

    Of storage it is no more than `sop_classes`, where they are given.

    pynetdicom takes the first transfer syntax that both sides name, so this order decides. A sender knows best what
    its object is stored in; only where it offers Implicit VR before Explicit VR Little Endian the latter is taken, for
    it keeps the VR of private attributes.
    """
    wanted: dict[str, list[str]] = {}
    for context in proposed:
        uid = str(context.abstract_syntax)
        if uid in _TAKEN and (sop_classes is None or uid in sop_classes or uid not in STORAGE_SOP_CLASSES):
            offered = [str(syntax) for syntax in context.transfer_syntax if syntax in _TAKEN[uid]]
            wanted.setdefault(uid, []).extend(_explicit_first(offered))
    return [_supported(uid, tuple(dict.fromkeys(syntaxes))) for uid, syntaxes in wanted.items()]


def not_permitted(proposed: Sequence[PresentationContext], sop_classes: Container[str] | None) -> list[str]:
    """Return the storage SOP classes that are proposed and that this peer may not store."""
    if sop_classes is None:
        return []
    storage = (str(context.abstract_syntax) for context in proposed if context.abstract_syntax in STORAGE_SOP_CLASSES)
    return [uid for uid in dict.fromkeys(storage) if uid not in sop_classes]


def _explicit_first(offered: list[str]) -> list[str]:
    explicit, implicit = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
    if not {explicit, implicit} <= set(offered) or offered.index(explicit) < offered.index(implicit):
        return offered
    rest = [syntax for syntax in offered if syntax != explicit]
    rest.insert(rest.index(implicit), explicit)
    return rest


@lru_cache(maxsize=1024)
def _supported(uid: str, syntaxes: tuple[str, ...]) -> PresentationContext:
    """Return one context for all associations that propose the same: pynetdicom only reads it, and making it is dear.

    A sender can fill the cache with orders of transfer syntaxes, but not beyond its size.
    """
    context = build_context(uid, list(syntaxes))
    if uid == STORAGE_COMMITMENT:
        context.scu_role = True  # a PACS that proposes no roles reports results all the same
        context.scp_role = True  # PS3.4 section J.3.3: the one that reports is the SCP, though it opens the association
    return context
