"""Rules for the text SR: it is a page, and it says everything that must be said."""

from collections.abc import Sequence
from typing import Final

from highdicom.sr import CodedConcept

from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft, Finished
from agent.report.statements import Section, sections
from agent.report.words import DEMONSTRATION, is_demonstration


def root_is_a_summary(draft: Draft, one: Finished) -> bool:
    """Any title but that of template 1500 is shown as a readable page."""
    return tree.is_named(one.ds, codes.SUMMARY_TITLE) and "ContentTemplateSequence" not in one.ds


def text_states_the_question(draft: Draft, one: Finished) -> bool:
    """What is asked, and what counts as the event."""
    return _says(draft, one, codes.QUESTION)


def text_states_every_answer(draft: Draft, one: Finished) -> bool:
    """Each axilla's answer in the words that the captures use, with its category, thresholds and prevalence."""
    said = {text for _, text in said_below(one, codes.FINDINGS)}
    return _says(draft, one, codes.FINDINGS) and all(draft.words.answer(a) in said for a in draft.result.answers)


def text_states_contributions(draft: Draft, one: Finished) -> bool:
    """Of each estimate every input is named, with what it did or that it was not there."""
    return _says(draft, one, codes.CONTRIBUTIONS)


def text_states_the_evidence(draft: Draft, one: Finished) -> bool:
    """What was used, missing and left out, and why the case counted as complete."""
    return _says(draft, one, codes.EVIDENCE)


def text_states_its_limits(draft: Draft, one: Finished) -> bool:
    """What the model is for, what it learnt from, and what an estimate is not."""
    return _says(draft, one, codes.LIMITS)


def text_states_what_it_supersedes(draft: Draft, one: Finished) -> bool:
    """No viewer tells a later version from the one before: the page does."""
    said = draft.words.supersedes(draft.result)
    return not said or (codes.VERSION.value, said) in said_below(one, codes.CONCLUSIONS)


def text_concludes_and_disclaims(draft: Draft, one: Finished) -> bool:
    """The answers in short, and right below them the disclaimer; of a demonstration model that it is one."""
    use = {text for label, text in said_below(one, codes.LIMITS) if label == codes.INTENDED_USE.value}
    demonstration = {draft.words.gettext(DEMONSTRATION)} if is_demonstration(draft.result.model) else set()
    disclaimer = (codes.DISCLAIMER.value, draft.words.disclaimer)
    return (
        _says(draft, one, codes.CONCLUSIONS)
        and said_below(one, codes.CONCLUSIONS)[-1] == disclaimer
        and demonstration <= use
    )


def no_line_is_too_long(draft: Draft, one: Finished) -> bool:
    """Viewers never break a sentence that is called a Finding (121071), whatever its length."""
    return not [item for item in one.tree.named(codes.FINDING) if item.ValueType == "TEXT"]


def said_below(one: Finished, head: CodedConcept) -> list[tuple[str, str]]:
    """Return the sentences right below a heading, each with the code of its label."""
    return [
        (tree.code(item.ConceptNameCodeSequence[0])[0], str(item.TextValue))
        for section in one.tree.named(head)
        for item in tree.children(section, "TEXT")
    ]


def expected(told: Sequence[Section], head: CodedConcept) -> list[tuple[str, str]]:
    """Return the sentences that belong below a heading, as `said_below` does."""
    return [(said.label.value, said.text) for section in told if section.head == head for said in section.statements]


def _says(draft: Draft, one: Finished, head: CodedConcept) -> bool:
    told = sections(draft, draft.words, (*draft.ranked, *draft.refused))
    return said_below(one, head) == expected(told, head)


RULES: Final = (
    root_is_a_summary,
    text_states_what_it_supersedes,
    text_states_the_question,
    text_states_every_answer,
    text_states_contributions,
    text_states_the_evidence,
    text_states_its_limits,
    text_concludes_and_disclaims,
    no_line_is_too_long,
)
