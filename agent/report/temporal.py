"""Series that viewers show as 4D: a region on an image of one freezes the page."""

from collections import Counter

from agent.report.draft import Draft
from agent.report.header import Source

DYNAMIC = "MR"


def is_temporal(draft: Draft, source: Source) -> bool:
    """Whether an image's series holds several time points of one place.

    The headers at hand tell it. For what came without one the counts do: of the images used, a series with several
    phases holds more than one with a single phase, and all of them where it is the only one.
    """
    instance = source.instance
    if instance.modality == DYNAMIC and instance.frames > 1:
        return True  # its frames are phases, or slices of one of them
    series = [s for s in draft.sources if s.instance.series_instance_uid == instance.series_instance_uid]
    if len({s.temporal_position for s in series}) > 1:
        return True
    counts = Counter(
        i.series_instance_uid
        for i in draft.result.used
        if i.modality == DYNAMIC and i.study_instance_uid == instance.study_instance_uid
    )
    own = counts[instance.series_instance_uid]
    if instance.modality != DYNAMIC or own < 2:
        return False
    return len(counts) == 1 or own > min(counts.values()) or source.temporal_positions > len(counts)
