"""The presentation contexts of the small archive: what the agent's receiver takes in, and queries."""

from collections.abc import Collection
from functools import cache

from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

from agent.core.services import STORAGE_COMMITMENT, VERIFICATION
from agent.receive.negotiation import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES

FINDS = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.1.1")  # study root, patient root


class SharedContexts(list[PresentationContext]):
    """Contexts that associations share: pynetdicom copies the list, deeply, for each, and only reads the copy."""

    def __deepcopy__(self, memo: dict[int, object]) -> "SharedContexts":
        return self


@cache
def storage_context(sop_class_uid: str) -> PresentationContext:
    """Return the context that takes a SOP class in every transfer syntax."""
    return build_context(sop_class_uid, list(TRANSFER_SYNTAXES))


def offered(refused: Collection[str]) -> SharedContexts:
    """Return everything that the archive supports, but for the SOP classes in `refused`."""
    services = [build_context(uid) for uid in (VERIFICATION, STORAGE_COMMITMENT, *FINDS)]
    return SharedContexts(services + [storage_context(uid) for uid in STORAGE_SOP_CLASSES if uid not in refused])
