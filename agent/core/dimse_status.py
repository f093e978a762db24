"""What the status of a C-STORE response means for the object that was sent."""

from enum import StrEnum
from typing import Final


class Judgement(StrEnum):
    """What follows from one C-STORE response."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored_with_warning"
    RETRY = "retry"  # the peer could not, now
    REFUSED = "refused"  # the peer will not, ever


_WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0111, 0x0116})
_TRANSIENT: Final = frozenset({0x0110, 0x0213})


def judge(status: int) -> Judgement:
    """Say what a DIMSE status of a C-STORE response means (PS3.4 table B.2-1, PS3.7 annex C).

    0xBxxx and the general warnings are stored. 0x0111 (duplicate SOP instance) says that the peer has the object
    already, which is what a repeated delivery of the same UID wants. 0xA7xx (out of resources), 0x0110 (processing
    failure) and 0x0213 (resource limitation) may pass. Everything else, undefined codes included, is a refusal.

    Parameters
    ----------
    status : int
        In [0, 0xFFFF].
    """
    if status == 0x0000:
        return Judgement.STORED
    if status >> 12 == 0xB or status in _WARNINGS:
        return Judgement.STORED_WITH_WARNING
    if status >> 8 == 0xA7 or status in _TRANSIENT:
        return Judgement.RETRY
    return Judgement.REFUSED
