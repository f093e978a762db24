"""What of a case's images counts as evidence that it is complete."""

from collections.abc import Sequence
from datetime import datetime

from agent.assemble.basis import BREAST_IMAGES, counts, window_of
from agent.assemble.seen import Seen
from agent.assemble.views import missing_views
from agent.core.case import Case
from agent.core.eligibility import Eligibility
from agent.core.evidence import Observed, Patience
from agent.core.ports import StoredInstance


def observe(seen: Seen, eligibility: Eligibility, patience: Patience) -> Observed:
    """Say how a case stands; views are missed only where there may be an estimate."""
    case, stored = seen.case, seen.standing.stored
    images = [one.instance for one in stored]
    return Observed(
        opened_at=_waited_since(case, stored),
        last_change=max((one.received_at for one in stored), default=case.opened_at),
        open_association=seen.standing.open_association,
        present=_present(eligibility, stored),
        facts_known=seen.facts_known,
        missing_views=missing_views(images, eligibility.open_sides, window_of(eligibility), patience.views),
    )


def _waited_since(case: Case, stored: Sequence[StoredInstance]) -> datetime:
    """Since when what is expected was waited for: a version that new facts opened waits for no image once more."""
    came = [one.received_at for one in stored]
    if case.version == 1 or not came or max(came) >= case.opened_at:
        return case.opened_at
    return min(came)


def _present(eligibility: Eligibility, stored: Sequence[StoredInstance]) -> frozenset[str]:
    """Modalities that are there; images of the breast count only if one can be used for a side that is asked about."""
    return frozenset(
        one.instance.modality
        for one in stored
        if not eligibility.open_sides or one.instance.modality not in BREAST_IMAGES or counts(one.instance, eligibility)
    )
