"""The sender with a planted defect: an object counts as confirmed before it is sent.

`python -m tests.faults.deliver.settles_first serve ...`
"""

from collections.abc import Sequence

from agent.core.archive import StoreOutcome
from agent.core.ports import OutboxItem, OutboxStatus
from agent.core.result import ResultObject
from agent.deliver import sending
from agent.deliver.route import Route
from tests.faults.deliver import sender

_store = sending._store


def _settled_first(route: Route, unsettled: dict[str, OutboxItem], objects: Sequence[ResultObject]) -> None:
    for item in unsettled.values():
        route.settle(item, OutboxStatus.CONFIRMED)
    _store(route, unsettled, objects)


def _not_again(route: Route, item: OutboxItem, outcome: StoreOutcome) -> None:
    """It is settled."""


if __name__ == "__main__":
    sending._store = _settled_first
    sending._settle = _not_again
    sender.main()
