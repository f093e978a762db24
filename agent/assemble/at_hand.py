"""What of a case's images counts as evidence that it is complete."""

from collections.abc import Sequence
from datetime import datetime

from agent.assemble.basis import BREAST_IMAGES, counts
from agent.core.case import Case
from agent.core.eligibility import Eligibility
from agent.core.ports import StoredInstance


def waited_since(case: Case, stored: Sequence[StoredInstance]) -> datetime:
    """Since when what is expected was waited for: a version that new facts opened waits for no image once more."""
    came = [one.received_at for one in stored]
    if case.version == 1 or not came or max(came) >= case.opened_at:
        return case.opened_at
    return min(came)


def present(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> frozenset[str]:
    """Modalities that are there; images of the breast count only if one can be used for a side that is asked about."""
    return frozenset(
        one.instance.modality
        for one in stored
        if not eligibility.open_sides or one.instance.modality not in BREAST_IMAGES or counts(one.instance, eligibility)
    )
