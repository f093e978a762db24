"""Rules for the text SR: it is a page, and it says everything that must be said."""

from typing import Final

from agent.dicom import codes
from agent.report import inputs, tree
from agent.report.contributions import parts
from agent.report.draft import Draft, Finished
from agent.report.words import DEMONSTRATION, is_demonstration


def root_is_a_summary(draft: Draft, one: Finished) -> bool:
    """Any title but that of template 1500 is shown as a readable page."""
    return tree.is_named(one.ds, codes.SUMMARY_TITLE) and "ContentTemplateSequence" not in one.ds


def text_states_every_answer(draft: Draft, one: Finished) -> bool:
    """Each axilla's answer stands there in the words that the captures use."""
    said = [item.TextValue for item in tree.named(one.ds, codes.FINDINGS)[:1] for item in tree.children(item, "TEXT")]
    return all(draft.words.answer(a) in said for a in draft.result.answers)


def text_states_what_is_missing(draft: Draft, one: Finished) -> bool:
    """Inputs that were not there are named."""
    said = inputs.missing(draft.words, draft.result)
    return not said or said in _texts(one)


def text_states_contributions(draft: Draft, one: Finished) -> bool:
    """Of each estimate every input is named, with what it did or that it was not there."""
    wanted = {draft.words.contribution(e, part) for e in draft.ranked for part in parts(draft.result, e)}
    return wanted <= _texts(one)


def text_states_what_it_supersedes(draft: Draft, one: Finished) -> bool:
    """No viewer tells a later version from the one before: the page does."""
    said = draft.words.supersedes(draft.result)
    return not said or said in _texts(one)


def text_holds_the_disclaimer(draft: Draft, one: Finished) -> bool:
    """The disclaimer stands there, and of a demonstration model that it is one."""
    demonstration = {draft.words.gettext(DEMONSTRATION)} if is_demonstration(draft.result.model) else set()
    return {draft.words.disclaimer} | demonstration <= _texts(one)


def _texts(one: Finished) -> set[str]:
    return {str(item.TextValue) for item in tree.items(one.ds) if item.ValueType == "TEXT"}


RULES: Final = (
    root_is_a_summary,
    text_states_every_answer,
    text_states_what_is_missing,
    text_states_contributions,
    text_states_what_it_supersedes,
    text_holds_the_disclaimer,
)
