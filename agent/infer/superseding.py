"""What earlier versions left in archives, and whether another patient was concerned."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.core.case import Case
from agent.core.firewall import owner
from agent.core.ports import OutboxStatus, Unit
from agent.core.result import Kind, Reference

REJECTED: Final = "rejected"
"""Key of a result's summary: SOP Instance UIDs of the earlier objects that its Key Objects reject."""
_ARRIVED: Final = frozenset({OutboxStatus.SENT, OutboxStatus.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Left:
    """Objects of earlier versions that were not rejected yet where they are."""

    objects: tuple[Reference, ...] = ()
    held_by: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # SOP Instance UID of each -> destinations to be told
    of_another: bool = False  # a version named another patient or a retired ID, or holds another patient's image


NOTHING_LEFT: Final = Left()


def left_behind(unit: Unit, case: Case, told: Collection[str]) -> Left:
    """Return what a version supersedes, beyond the version before it where that one rejected nothing.

    That is what a destination has, or may still get, and did not reject already; `held_by` names those that are `told`
    of it, which may be none. What rejects is itself never among it.
    """
    earlier = unit.earlier(case)
    rejected = {pair for one in earlier for pair in _rejected(unit, one)}
    objects: list[Reference] = []
    held_by: dict[str, frozenset[str]] = {}
    of_another = False
    for one in earlier:
        held = {
            uid: frozenset(name for name in names if (uid, name) not in rejected)
            for uid, names in unit.held_by(one.id).items()
        }
        left = [
            reference
            for role, reference in sorted(unit.references(one.id).items())
            if not role.startswith(Kind.REJECTION) and held[reference.sop_instance_uid]
        ]
        objects += left
        theirs = {reference.sop_instance_uid: held[reference.sop_instance_uid] & set(told) for reference in left}
        held_by |= theirs
        of_another = of_another or bool(any(theirs.values()) and _is_of_another(unit, one, case))
    return Left(tuple(objects), held_by, of_another)


def _rejected(unit: Unit, case: Case) -> Iterator[tuple[str, str]]:
    """Yield what a version rejected, and where: a destination that acknowledged each rejection that it was to get."""
    answers: defaultdict[str, set[OutboxStatus]] = defaultdict(set)
    for item in unit.outbox_of(case.id):
        if item.kind is Kind.REJECTION:
            answers[item.destination].add(item.status)
    for destination, statuses in answers.items():
        if statuses <= _ARRIVED:
            yield from ((uid, destination) for uid in unit.summary(case.id).get(REJECTED, ()))


def _is_of_another(unit: Unit, earlier: Case, case: Case) -> bool:
    named = earlier.patient != case.patient or any(
        owner(unit, *said) != case.patient for said in unit.said_in(earlier.id)
    )
    return named or any(stored.instance.barred for stored in unit.instances(earlier.id))
