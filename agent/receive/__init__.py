"""The first room: DICOM associations and HL7 messages in, spool records out. No object is decoded here."""

from agent.receive.hl7_listener import Hl7Listener
from agent.receive.hl7_settings import Hl7Rules, Hl7Settings
from agent.receive.receiver import Receiver
from agent.receive.settings import Peer, ReceiverSettings, TlsListener

__all__ = ["Hl7Listener", "Hl7Rules", "Hl7Settings", "Peer", "Receiver", "ReceiverSettings", "TlsListener"]
