"""What earlier versions left in archives, and whether another patient was concerned."""

from dataclasses import dataclass
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
    """Objects of earlier versions that no version has rejected yet."""

    objects: tuple[Reference, ...] = ()
    of_another: bool = False  # a version named another patient or a retired ID, or holds another patient's image


NOTHING_LEFT: Final = Left()


def left_behind(unit: Unit, case: Case) -> Left:
    """Return what a version supersedes, beyond the version before it where that one rejected nothing.

    What rejects is itself never among it.
    """
    earlier = unit.earlier(case)
    rejected = {uid for one in earlier if _has_rejected(unit, one) for uid in unit.summary(one.id).get(REJECTED, ())}
    objects: list[Reference] = []
    of_another = False
    for one in earlier:
        left = [
            reference
            for role, reference in sorted(unit.references(one.id).items())
            if not role.startswith(Kind.REJECTION) and reference.sop_instance_uid not in rejected
        ]
        objects += left
        of_another = of_another or bool(left and _is_of_another(unit, one, case))
    return Left(tuple(objects), of_another)


def _has_rejected(unit: Unit, case: Case) -> bool:
    """Whether every destination that was to get a version's rejections acknowledged them."""
    items = [item for item in unit.outbox_of(case.id) if item.kind is Kind.REJECTION]
    return bool(items) and all(item.status in _ARRIVED for item in items)


def _is_of_another(unit: Unit, earlier: Case, case: Case) -> bool:
    named = earlier.patient != case.patient or any(
        owner(unit, *said) != case.patient for said in unit.said_in(earlier.id)
    )
    return named or any(stored.instance.barred for stored in unit.instances(earlier.id))
