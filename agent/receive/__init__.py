"""The first room: DICOM associations in, spool records out. Nothing is decoded here."""

from agent.receive.receiver import Receiver
from agent.receive.settings import Peer, ReceiverSettings

__all__ = ["Peer", "Receiver", "ReceiverSettings"]
