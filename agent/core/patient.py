"""Who a patient is: Patient ID together with the authority that issued it."""

from dataclasses import dataclass
from typing import Final

from agent.core.errors import Rejected

OF_SENDER: Final = "AE:"
"""How an issuer begins that stands for a sender: neither its objects nor the site name one."""

SPLIT: Final = "SPLIT:"
"""How an issuer begins that stands for someone whom a person told apart from another patient of the same key."""


@dataclass(frozen=True, order=True, slots=True)
class PatientKey:
    """Identity of a patient (PS3.3 C.7.1.1): never a name, never a Patient ID alone."""

    issuer: str
    patient_id: str

    @property
    def is_internal(self) -> bool:
        """Whether the issuer is a namespace of ours: a sender's, or of a patient that a person split off."""
        return self.issuer.startswith((OF_SENDER, SPLIT))


def patient_key(patient_id: str, issuer: str, site_issuer: str | None, calling_ae_title: str) -> PatientKey:
    """Form the key from what an object says and what the site configured.

    An object without Issuer of Patient ID (0010,0021) gets the site's issuer; where the site has none,
    the sender's AE title keeps its patients apart from everyone else's.

    Raises
    ------
    Rejected
        If there is no Patient ID.
    """
    if not patient_id.strip():
        raise Rejected("no Patient ID (0010,0020)")
    return PatientKey(issuer.strip() or site_issuer or f"{OF_SENDER}{calling_ae_title.strip()}", patient_id.strip())
