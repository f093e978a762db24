"""Append-only segments that hold what was received, before it is acknowledged. Format: docs/adr/0001-spool.md."""

from agent.spool.disk import Disk
from agent.spool.draft import Draft
from agent.spool.errors import SpoolFailed, SpoolFull, SpoolLocked
from agent.spool.reader import SpoolReader
from agent.spool.released import SegmentState, release, segments
from agent.spool.writer import Channel, SpoolWriter, is_taken

__all__ = [
    "Channel",
    "Disk",
    "Draft",
    "SegmentState",
    "SpoolFailed",
    "SpoolFull",
    "SpoolLocked",
    "SpoolReader",
    "SpoolWriter",
    "is_taken",
    "release",
    "segments",
]
