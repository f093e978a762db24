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


QUESTIONS: Final[Mapping[str, QuestionWords]] = {
    "aln": QuestionWords(
        short="ALN",
        asked=_("How likely are the axillary lymph nodes metastatic, before surgery and before any systemic therapy?"),
        event=_("nodal metastasis"),
        label=_("Nodal metastasis here means: {label}."),
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
