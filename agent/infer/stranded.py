"""What a version without images rejects: objects that lend it their headers, and who may have them."""

from dataclasses import dataclass
from typing import Final

from agent.core.case import Case
from agent.core.instance import Instance
from agent.core.ports import OutboxStatus, Unit
from agent.core.result import ResultObject, SourceImage
from agent.infer.reader import unseen
from agent.infer.superseding import Left

NOBODY_REJECTS: Final = (
    "no destination that was given the results takes a rejection (reject_superseded): have them rejected by hand"
)
_NEVER_LEFT: Final = frozenset({OutboxStatus.SPARE, OutboxStatus.AWAITING_REPORT})


@dataclass(frozen=True, slots=True)
class Stranded:
    """Earlier objects whose images are all gone."""

    sources: tuple[SourceImage, ...]  # one object of each study: patient and study as the archives have them
    destinations: frozenset[str]  # that were given any of them


def stranded(unit: Unit, case: Case, left: Left) -> Stranded:
    """Look up what a version needs to reject what is left of earlier ones.

    No image of theirs is the patient's any more. What the archives know of patient and study is what the objects
    themselves said when they were sent: nobody else's name is written.
    """
    uids = {reference.sop_instance_uid for reference in left.objects}
    lent: dict[str, tuple[Case, ResultObject]] = {}
    destinations: set[str] = set()
    for earlier in unit.earlier(case):
        theirs = [one for one in unit.result_objects(earlier.id) if one.sop_instance_uid in uids]
        for one in sorted(theirs, key=lambda made: (len(made.encoded), made.sop_instance_uid)):
            lent.setdefault(one.study_instance_uid, (earlier, one))
        destinations |= {
            item.destination
            for item in unit.outbox_of(earlier.id)
            if item.sop_instance_uid in uids and item.status not in _NEVER_LEFT
        }
    return Stranded(tuple(_source(*lent[study]) for study in sorted(lent)), frozenset(destinations))


def _source(earlier: Case, made: ResultObject) -> SourceImage:
    instance = Instance(
        sop_instance_uid=made.sop_instance_uid,
        sop_class_uid=made.sop_class_uid,
        transfer_syntax_uid=made.transfer_syntax_uid,
        study_instance_uid=made.study_instance_uid,
        series_instance_uid=made.series_instance_uid,
        patient=earlier.patient,
        modality="",
    )
    return unseen(instance, made.encoded)
