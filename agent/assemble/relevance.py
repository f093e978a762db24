"""Which received objects a question can use, and why the others are not."""

from collections.abc import Mapping
from typing import Final

from agent.core.instance import Instance
from agent.core.role_rules import BUILT_IN
from agent.core.roles import RoleTable

_BREAST: Final = frozenset({"mg.cc", "mg.mlo", "us.tumour", "us.node", "us.unknown", "mr.dce"})
USES: Final[Mapping[str, frozenset[str]]] = {
    "aln": _BREAST,
    "nsln": _BREAST,
    "histology": frozenset({"sm.node"}),
}
"""By question, the roles that it can use."""

NOT_RELEVANT: Final = "not relevant"
"""How every reason begins."""


def irrelevance(instance: Instance, question: str, modalities: frozenset[str], roles: RoleTable = BUILT_IN) -> str:
    """Say why a question cannot use an instance; empty: it can.

    An image whose role is known is taken also where no model is given it, as one FOR PROCESSING: the case knows of it.

    Parameters
    ----------
    modalities
        What the active bundles of the question read.
    roles
        What each object is, by which rule.
    """
    verdict = roles.verdict(instance)
    if verdict.refusal:
        return f"{NOT_RELEVANT}: {verdict.refusal}"
    if verdict.role not in USES[question] or instance.modality not in modalities:
        return f"{NOT_RELEVANT}: no active model uses {instance.modality} for {question} [{verdict.rule}]"
    return ""
