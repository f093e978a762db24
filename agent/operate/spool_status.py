"""How full the spool is, for people and for programs."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """Bytes of the spool. `pinned_since`: when the oldest case was opened whose images must stay."""

    limit_bytes: int
    used_bytes: int  # by segments, copies' and released ones too
    reusable_bytes: int  # of these, released
    copied_bytes: int  # of these, in segments for copies of what old cases need
    pinned_since: datetime | None
