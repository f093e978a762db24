"""A damaged object that says whose it is can be filed under its patient."""

from agent.core.errors import Rejected
from agent.core.instance import Damaged
from agent.core.patient import PatientKey


def test_it_is_rejected_and_carries_what_could_be_read() -> None:
    """The message is the reason alone: it quotes no patient."""
    found = Damaged("truncated", patient=PatientKey("A", "1"), study_instance_uid="1.2", modality="MG")
    assert isinstance(found, Rejected)
    assert str(found) == "truncated"
    assert (found.patient, found.study_instance_uid, found.modality) == (PatientKey("A", "1"), "1.2", "MG")
