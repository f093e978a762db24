"""The sender with a planted defect: objects count as confirmed before they are sent. Nobody notices until it dies.

`python -m tests.faults.deliver.settles_first serve ...`
"""

from collections.abc import Sequence

from agent.core.archive import StoreOutcome
from agent.core.ports import OutboxItem, OutboxStatus
from agent.core.result import ResultObject
from agent.deliver import sending
from agent.deliver.route import Route
from agent.deliver.verdict import conclude
from tests.faults.deliver import sender

_store = sending._store


def _settled_first(
    route: Route, unsettled: dict[str, OutboxItem], left: set[str], objects: Sequence[ResultObject]
) -> None:
    items = list(unsettled.values())
    with route.store.unit() as unit:
        unit.lock(items[0].case_id)
        for item in items:
            unit.settle(item, OutboxStatus.CONFIRMED, route.now())
    _store(route, unsettled, left, objects)
    with route.store.unit() as unit:
        conclude(unit, items[0].case_id, route.now())


def _not_again(route: Route, item: OutboxItem, outcome: StoreOutcome) -> bool:
    """It is settled."""
    return True


if __name__ == "__main__":
    sending._store = _settled_first
    sending._settle = _not_again
    sender.main()
