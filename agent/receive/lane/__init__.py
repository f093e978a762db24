"""The data phase of an association: from the socket to the spool, undecoded, uncopied.

pynetdicom negotiates, and takes over again at the end. No message reaches it, so it can gather none.
"""

from agent.receive.lane.commands import Operation, Request
from agent.receive.lane.incoming import Answer, Service
from agent.receive.lane.lending import LendingProvider
from agent.receive.lane.loop import Ending, Lane, LaneSettings, Outcome
from agent.receive.lane.wire import Wire

__all__ = [
    "Answer",
    "Ending",
    "Lane",
    "LaneSettings",
    "LendingProvider",
    "Operation",
    "Outcome",
    "Request",
    "Service",
    "Wire",
]
