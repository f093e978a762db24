"""Why a message is not accepted, as its sender is told."""

from enum import IntEnum, StrEnum

from agent.core.errors import Rejected


class Outcome(StrEnum):
    """HL7 table 0008, original mode: accepted, an error in its content, rejected for its kind or its form."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class ErrorCode(IntEnum):
    """HL7 table 0357, as far as it is used."""

    SEGMENT_SEQUENCE = 100
    REQUIRED_FIELD_MISSING = 101
    DATA_TYPE = 102
    UNSUPPORTED_MESSAGE_TYPE = 200
    UNSUPPORTED_EVENT_CODE = 201
    UNSUPPORTED_VERSION = 203
    UNKNOWN_KEY_IDENTIFIER = 204
    APPLICATION_INTERNAL = 207


class Fault(Rejected):
    """One thing that is wrong with a message. Its text names segments and fields, never a value of a patient.

    Parameters
    ----------
    outcome
        AE or AR.
    code
        What kind of error it is.
    what
        A sentence for the one who runs the sending system.
    segment, number
        Where: a segment and a field of it, as far as there is one.
    """

    def __init__(self, outcome: Outcome, code: ErrorCode, what: str, segment: str = "", number: int = 0) -> None:
        super().__init__(what)
        self.outcome = outcome
        self.code = code
        self.segment = segment
        self.number = number


def rejected(code: ErrorCode, what: str, segment: str = "", number: int = 0) -> Fault:
    """Return the fault of a message that is not of a kind or form that is handled."""
    return Fault(Outcome.REJECT, code, what, segment, number)


def erroneous(code: ErrorCode, what: str, segment: str = "", number: int = 0) -> Fault:
    """Return the fault of a message whose content cannot be used."""
    return Fault(Outcome.ERROR, code, what, segment, number)
