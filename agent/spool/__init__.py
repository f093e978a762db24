"""Append-only segments that hold what was received, before it is acknowledged. Format: docs/adr/0001-spool.md."""

from agent.core.retention import SegmentState
from agent.spool.disk import Disk
from agent.spool.draft import Draft
from agent.spool.errors import SpoolFailed, SpoolFull, SpoolLocked
from agent.spool.kept import KeptSpool, set_aside
from agent.spool.reader import MOST_IN_MEMORY, SpoolReader
from agent.spool.released import release, segments
from agent.spool.watermark import Watermark, free_bytes
from agent.spool.writer import Channel, SpoolWriter, is_taken, max_object_bytes_of, segment_bytes_of

__all__ = [
    "MOST_IN_MEMORY",
    "Channel",
    "Disk",
    "Draft",
    "KeptSpool",
    "SegmentState",
    "SpoolFailed",
    "SpoolFull",
    "SpoolLocked",
    "SpoolReader",
    "SpoolWriter",
    "Watermark",
    "free_bytes",
    "is_taken",
    "max_object_bytes_of",
    "release",
    "segment_bytes_of",
    "segments",
    "set_aside",
]
