"""Rules for the text SR: it is a page, and it says everything that must be said."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from highdicom.sr import CodedConcept

from agent.core.prediction import Estimate
from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft
from agent.report.slot import Finished
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
    return not said or (tree.code(codes.VERSION), said) in said_below(one, codes.CONCLUSIONS)


def text_concludes_and_disclaims(draft: Draft, one: Finished) -> bool:
    """The answers in short, and right below them the disclaimer; of a demonstration model that it is one."""
    use = {text for label, text in said_below(one, codes.LIMITS) if label == tree.code(codes.INTENDED_USE)}
    demonstration = {draft.words.gettext(DEMONSTRATION)} if is_demonstration(draft.result.model) else set()
    disclaimer = (tree.code(codes.DISCLAIMER), draft.words.disclaimer)
    return (
        _says(draft, one, codes.CONCLUSIONS)
        and said_below(one, codes.CONCLUSIONS)[-1] == disclaimer
        and demonstration <= use
    )


def no_line_is_too_long(draft: Draft, one: Finished) -> bool:
    """Viewers never break a sentence that is called a Finding (121071), whatever its length."""
    return not [item for item in one.tree.named(codes.FINDING) if item.ValueType == "TEXT"]


Said: TypeAlias = tuple[tree.Code, str]
"""The code of a label, and the sentence behind it."""


def said_below(one: Finished, head: CodedConcept) -> list[Said]:
    """Return the sentences right below a heading."""
    return [(tree.name(i), tree.text(i)) for section in one.tree.named(head) for i in tree.children(section, "TEXT")]


def page(draft: Draft) -> Mapping[tree.Code, list[Said]]:
    """Return what the page says, by heading."""
    return draft.once(page, lambda: _by_head(sections(draft, draft.words, draft.answers)))


def coded(draft: Draft, estimate: Estimate) -> Mapping[tree.Code, list[Said]]:
    """Return what the SR of one axilla says in sentences, by heading."""
    what = coded, estimate.side
    return draft.once(what, lambda: _by_head(sections(draft, draft.words.in_english, (estimate,))))


def _by_head(told: Sequence[Section]) -> dict[tree.Code, list[Said]]:
    return {tree.code(of.head): [(tree.code(said.label), said.text) for said in of.statements] for of in told}


def _says(draft: Draft, one: Finished, head: CodedConcept) -> bool:
    return said_below(one, head) == page(draft).get(tree.code(head), [])


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
