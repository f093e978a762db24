"""What both documents say in sentences: made once, so that the page and the coded SR cannot differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept

from agent.core.prediction import Answer, Estimate
from agent.dicom import codes
from agent.report import inputs
from agent.report.contributions import parts, start
from agent.report.draft import Draft
from agent.report.words import CONTRIBUTIONS, INTERVAL, NOT_AN_OUTLINE, Words


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, and the concept that stands before it."""

    label: CodedConcept
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences under one heading."""

    head: CodedConcept
    statements: tuple[Statement, ...]


def sections(draft: Draft, words: Words, answers: Sequence[Answer]) -> tuple[Section, ...]:
    """Return question, conclusions, findings, contributions, evidence and limits of some of a result's answers.

    Parameters
    ----------
    draft
        The result.
    words
        In which language.
    answers
        In order: those of all axillae, or of the one that a document is about.
    """
    estimates = [answer for answer in answers if isinstance(answer, Estimate)]
    found = (
        (codes.QUESTION, _question(draft, words)),
        (codes.CONCLUSIONS, _conclusions(draft, words, answers)),
        (codes.FINDINGS, _findings(draft, words, answers)),
        (codes.CONTRIBUTIONS, _contributions(draft, words, estimates)),
        (codes.EVIDENCE, _evidence(draft, words)),
        (codes.LIMITS, _limits(draft, words)),
    )
    return tuple(Section(head, tuple(said)) for head, said in found if said)


def _question(draft: Draft, words: Words) -> list[Statement]:
    meaning = words.event_means(draft.result.model.label)
    return [Statement(codes.QUESTION, words.asked), Statement(codes.DEFINITION, meaning)]


def _conclusions(draft: Draft, words: Words, answers: Sequence[Answer]) -> list[Statement]:
    later = words.supersedes(draft.result)
    return [
        *(Statement(codes.CONCLUSION, words.conclusion(answer)) for answer in answers),
        *([Statement(codes.VERSION, later)] if later else []),
        Statement(codes.DISCLAIMER, words.disclaimer),
    ]


def _findings(draft: Draft, words: Words, answers: Sequence[Answer]) -> list[Statement]:
    said: list[Statement] = []
    for answer in answers:
        said.append(Statement(codes.ESTIMATE, words.answer(answer)))
        if isinstance(answer, Estimate):
            said += _category(draft, words, answer)
    if any(isinstance(answer, Estimate) for answer in answers) and (shifted := words.shifted(draft.result)):
        said.append(Statement(codes.PREVALENCE, shifted))
    return said


def _category(draft: Draft, words: Words, estimate: Estimate) -> list[Statement]:
    points, prevalence = estimate.points or draft.result.operating_points, draft.result.site_prevalence
    worth = words.at_prevalence(estimate, points, prevalence) if prevalence is not None else []
    return [
        Statement(codes.CATEGORY_MEANING, words.explained(estimate, points)),
        *(Statement(codes.OPERATING_POINT, said) for said in words.performance(estimate, points)),
        *(Statement(codes.PREDICTIVE_VALUES, said) for said in worth),
    ]


def _contributions(draft: Draft, words: Words, estimates: Sequence[Estimate]) -> list[Statement]:
    said: list[Statement] = []
    for estimate in estimates:
        begin = start(estimate)
        if begin is not None:
            said.append(Statement(codes.STARTING_POINT, words.started(estimate, begin)))
        for part in parts(draft.result, estimate):
            said.append(Statement(contribution_of(part.input), words.contribution(estimate, part)))
    return said


def contribution_of(name: str) -> CodedConcept:
    """Return the concept of what an input contributed."""
    return codes.CONTRIBUTION_OF.get(name, codes.CONTRIBUTION_OF_ANOTHER)


def _evidence(draft: Draft, words: Words) -> list[Statement]:
    result = draft.result
    images = [
        inputs.images_used(words, result),
        *inputs.shown(words, result, sum(len(draft.places(e)) for e in draft.ranked)),
        *inputs.unmarked(words, [i for i in result.influences if not draft.has_region(i)]),
        *(words.not_coded(e) for e in draft.ranked if _has_no_region(draft, e)),
    ]
    missing, left_out = inputs.missing(words, result), inputs.left_out(words, result, draft.at_hand)
    return [
        *(Statement(codes.INPUT, said) for said in images),
        Statement(codes.INPUT, inputs.facts_used(words, result)),
        *([Statement(codes.AVAILABILITY, missing)] if missing else []),
        *(Statement(codes.LEFT_OUT, said) for said in left_out),
        *(Statement(codes.CASE_COMPLETENESS, words.stored(said)) for said in result.evidence),
    ]


def _has_no_region(draft: Draft, estimate: Estimate) -> bool:
    places = draft.places(estimate)
    return bool(places) and not any(draft.has_region(place.influence) for place in places)


def _limits(draft: Draft, words: Words) -> list[Statement]:
    result, device = draft.result, draft.device
    limits = [
        words.question.limit,
        *([INTERVAL, CONTRIBUTIONS] if draft.ranked else []),
        *([NOT_AN_OUTLINE] if result.influences and draft.ranked else []),
    ]
    digest = words.gettext("SHA-256 of the model's manifest: {digest}.", digest=result.model.digest)
    made_by = f"{words.made_by(device.model, device.software_version, result)}."
    return [
        *(Statement(codes.INTENDED_USE, said) for said in words.use(result.model, answers=bool(draft.ranked))),
        Statement(codes.TRAINING_DATA, words.training(result.model, with_figures=bool(draft.ranked))),
        *(Statement(codes.LIMIT, words.gettext(said)) for said in limits),
        *(Statement(codes.SOFTWARE, said) for said in (made_by, digest)),
    ]
