"""Rules for every object, and for both kinds of document."""

import re
from typing import Final

from agent.dicom import codes
from agent.report import inputs, tree
from agent.report.draft import CHARACTER_SET, Draft
from agent.report.references import reference
from agent.report.slot import Finished


def subject_equals_source(draft: Draft, one: Finished) -> bool:
    """Patient and study attributes are those of a source image of the same study, letter by letter."""
    study = one.ds.StudyInstanceUID
    subjects = [s.subject for s in draft.sources if s.instance.study_instance_uid == study]
    return any(all(one.ds.get(e.tag) == e for e in subject) for subject in subjects)


def text_is_utf8(draft: Draft, one: Finished) -> bool:
    """Names of any script can be written."""
    return bool(one.ds.get("SpecificCharacterSet") == CHARACTER_SET)


def private_scheme_is_identified(draft: Draft, one: Finished) -> bool:
    """Our private codes say whose they are."""
    named = one.ds.get("CodingSchemeIdentificationSequence", ())
    return codes.SCHEME in [item.CodingSchemeDesignator for item in named]


def version_is_advertised(draft: Draft, one: Finished) -> bool:
    """The version, and of what speaks of one axilla its side, stand in what a viewer shows of Series Description."""
    shown = str(one.ds.get("SeriesDescription", ""))[:20].split()
    side = one.slot.axilla or str(one.ds.get("ImageLaterality", ""))
    return f"v{draft.result.version}" in shown and side in ("", "B", *shown)


def document_is_complete_and_unverified(draft: Draft, one: Finished) -> bool:
    """A machine completes a document; only a person verifies one."""
    flags = one.ds.CompletionFlag, one.ds.VerificationFlag, one.ds.get("PreliminaryFlag")
    return flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")


def evidence_equals_inputs(draft: Draft, one: Finished) -> bool:
    """Named are the images given to the model and what the content refers to besides, of this study as current."""
    current = tree.evidence(one.ds, "CurrentRequestedProcedureEvidenceSequence")
    other = tree.evidence(one.ds, "PertinentOtherEvidenceSequence")
    study = str(one.ds.StudyInstanceUID)
    given = {(r.study_instance_uid, r.sop_instance_uid) for r in map(reference, draft.evidence)}
    wanted = {uid for _, uid in given} | one.tree.referenced
    return (
        given <= current | other
        and {uid for _, uid in current | other} == wanted
        and all(s == study for s, _ in current)
        and all(s != study for s, _ in other)
    )


def no_finding_of_disease(draft: Draft, one: Finished) -> bool:
    """A risk is not a finding: its codes never occur."""
    return codes.DISEASE.isdisjoint(one.tree.codes)


def no_number_without_estimate(draft: Draft, one: Finished) -> bool:
    """Where there is no estimate, none of the result's figures slips in; what others wrote may hold any share.

    A sentence with a figure of another result is no statement of this one (`rules_tree.no_other_sentence`).
    """
    if draft.ranked:
        return True
    said = {str(item.get("TextValue", "")) for item in one.tree.typed("TEXT")} - _others(draft)
    figures = re.compile("|".join(rf"(?<![\d.,]){re.escape(figure)} ?%" for figure in _figures(draft)))
    return not one.tree.typed("NUM") and not any(figures.search(text) for text in said)


def _figures(draft: Draft) -> set[str]:
    """Return the shares of a result that has no estimate, as its words write them: prevalences and thresholds."""
    result = draft.result
    site = [] if result.site_prevalence is None else [result.site_prevalence]
    shares = (result.model.training_prevalence, *site, *(point.threshold for point in result.operating_points))
    return {draft.words.share(share) for share in shares}


def _others(draft: Draft) -> set[str]:
    """Return the sentences that repeat a bundle, the site's rules of roles, a reason, or why the case was complete."""
    result, words = draft.result, draft.words
    return {
        *map(words.answer, draft.refused),
        words.event_means(result.model.label),
        words.training(result.model, with_figures=False),
        *inputs.left_out(words, result, draft.at_hand),
        *map(words.stored, result.evidence),
    }


FOR_ALL: Final = (subject_equals_source, text_is_utf8, private_scheme_is_identified, version_is_advertised)
FOR_DOCUMENTS: Final = (
    document_is_complete_and_unverified,
    evidence_equals_inputs,
    no_finding_of_disease,
    no_number_without_estimate,
)
