"""Which of the active bundles may answer for a patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.infer.engine import Engine

DEMONSTRATION: Final = "a demonstration model never answers for a real patient"


@dataclass(frozen=True)
class ActiveBundle:
    """A loaded bundle, and for whom the site lets it answer."""

    engine: Engine
    demo_issuers: frozenset[str]  # issuers of synthetic patients
    send_research: bool

    def admits(self, patient: PatientKey) -> bool:
        """Whether it may answer: a demonstration for synthetic patients alone, research where the site says so."""
        if self.engine.manifest.is_demonstration:
            return patient.issuer in self.demo_issuers
        return self.send_research


def choose(bundles: Sequence[ActiveBundle], question: str, patient: PatientKey) -> tuple[ActiveBundle, bool]:
    """Return the first bundle of the question that admits the patient, and True.

    Where none does but one is a demonstration, that one is returned with False: it speaks, to say that it abstains.

    Raises
    ------
    Permanent
        If no active bundle can speak for this question.
    """
    asked = [bundle for bundle in bundles if bundle.engine.manifest.question == question]
    for bundle in asked:
        if bundle.admits(patient):
            return bundle, True
    for bundle in asked:
        if bundle.engine.manifest.is_demonstration:
            return bundle, False
    raise Permanent(f"no active model may answer the question {question} for this patient")
