"""Rules for Key Object Selections: those that recommend, and those that reject."""

from typing import Final

from agent.dicom import codes
from agent.report import tree
from agent.report.draft import Draft
from agent.report.rejection import description, holders
from agent.report.slot import Finished


def evidence_is_what_is_named(draft: Draft, one: Finished) -> bool:
    """Archives read the evidence, viewers the content: both name the same objects (PS3.3 C.17.6.2)."""
    evidence = {uid for _, uid in tree.evidence(one.ds, "CurrentRequestedProcedureEvidenceSequence")}
    return bool(evidence) and evidence == _named(one)


def names_objects_of_one_study(draft: Draft, one: Finished) -> bool:
    """Objects of several studies would need identical documents in each of them."""
    return len({study for study, _ in tree.evidence(one.ds, "CurrentRequestedProcedureEvidenceSequence")}) == 1


def key_object_holds_the_disclaimer(draft: Draft, one: Finished) -> bool:
    """Its description says what it is and what not; the template is that of Key Object Selections."""
    template = one.ds.get("ContentTemplateSequence")
    texts = [str(item.TextValue) for item in one.tree.named(codes.KEY_OBJECT_DESCRIPTION)]
    right = bool(template and template[0].TemplateIdentifier == "2010")
    return right and len(texts) == 1 and draft.words.disclaimer in texts[0]


def key_images_are_ours_or_sources(draft: Draft, one: Finished) -> bool:
    """What is recommended is a key image with a heatmap, in the study in which the document lies."""
    shown = {p.source.instance.sop_instance_uid for e in draft.ranked for p in draft.places(e)}
    studies = {study for study, _ in tree.evidence(one.ds, "CurrentRequestedProcedureEvidenceSequence")}
    titled = tree.is_named(one.ds, codes.OF_INTEREST)
    return titled and bool(shown & _named(one)) and studies == {str(one.ds.StudyInstanceUID)}


def rejects_nothing_of_this_version(draft: Draft, one: Finished) -> bool:
    """Only objects of earlier versions are rejected, all of their study that its destinations have; no source image."""
    rejected = _named(one)
    earlier = {r.sop_instance_uid: r.study_instance_uid for r in draft.result.superseded}
    studies = {earlier.get(uid, "") for uid in rejected}
    theirs = {uid for uid, study in earlier.items() if study in studies and holders(draft, uid) == one.only_to}
    return rejected == theirs


def rejection_says_why(draft: Draft, one: Finished) -> bool:
    """The title is the reason: patient safety where another patient was concerned, else quality."""
    wanted = codes.REJECTED_FOR_SAFETY if draft.result.was_of_another else codes.REJECTED_FOR_QUALITY
    texts = [str(item.TextValue) for item in one.tree.named(codes.KEY_OBJECT_DESCRIPTION)]
    return tree.is_named(one.ds, wanted) and texts == [description(draft)]


def _named(one: Finished) -> set[str]:
    items = [*one.tree.typed("IMAGE"), *one.tree.typed("COMPOSITE")]
    return {str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in items}


FOR_BOTH: Final = (evidence_is_what_is_named, names_objects_of_one_study, key_object_holds_the_disclaimer)
FOR_KEY_OBJECTS: Final = (key_images_are_ours_or_sources,)
FOR_REJECTIONS: Final = (rejects_nothing_of_this_version, rejection_says_why)
