"""The questions that a report is written for, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Permanent
from agent.report.catalogue import marked as _


@dataclass(frozen=True, slots=True)
class QuestionWords:
    """How one question is put, in English."""

    short: str
    asked: str
    event: str  # "probability of ..."
    label: str  # what counts as the event, with the placeholder {label}
    limit: str  # what the answer is not
    number: str  # what the answer is, as the subject of a sentence


_NOT_A_FINDING: Final = _(
    "An estimate of risk is not a finding of disease; it replaces neither biopsy nor the radiologist's report."
)

_RISK: Final = _("estimated risk")

QUESTIONS: Final[Mapping[str, QuestionWords]] = {
    "aln": QuestionWords(
        short="ALN",
        asked=_("How likely are the axillary lymph nodes metastatic, before surgery and before any systemic therapy?"),
        event=_("nodal metastasis"),
        label=_("Nodal metastasis here means: {label}."),
        limit=_NOT_A_FINDING,
        number=_RISK,
    ),
    "nsln": QuestionWords(
        short="NSLN",
        asked=_("Sentinel nodes are positive: how likely are further axillary lymph nodes metastatic?"),
        event=_("non-sentinel metastasis"),
        label=_("Non-sentinel metastasis here means: {label}."),
        limit=_(
            "An estimate of risk is not a finding of disease; it replaces neither the pathologist's nor the "
            "radiologist's report."
        ),
        number=_RISK,
    ),
    "histology": QuestionWords(
        short="Slide",
        asked=_("How likely does the slide show metastasis in an axillary lymph node?"),
        event=_("metastasis on the slide"),
        label=_("Metastasis on the slide here means: {label}."),
        limit=_("An estimated probability is not a diagnosis; it does not replace the pathologist's report."),
        number=_("estimated probability"),
    ),
}


def question_words(question: str) -> QuestionWords:
    """Return the words of a question.

    Raises
    ------
    Permanent
        If no report is written for it.
    """
    try:
        return QUESTIONS[question]
    except KeyError:
        raise Permanent(f"no report is written for the question {question!r}") from None
