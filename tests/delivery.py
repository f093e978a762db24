"""A case on its way out, and everything that a courier of the tests needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from agent.core.archive import Archive
from agent.core.case import Case, CaseEvent
from agent.core.patient import PatientKey
from agent.core.ports import OutboxItem, OutboxStatus, Store
from agent.core.result import ResultObject
from agent.deliver.courier import Courier
from agent.deliver.settings import DestinationSettings
from tests.fakes.objects import one_result
from tests.fakes.pacs import FakePacs
from tests.fakes.store import FakeStore

T0 = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
DAY_S = 86400.0


@dataclass
class Clock:
    """Time that passes only when told to."""

    at: datetime = T0

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


def settings(confirm: str = "read_back", **changes: float) -> DestinationSettings:
    """Return settings with round numbers."""
    times = {"first_s": 10.0, "max_s": 300.0, "give_up_after_s": 7 * DAY_S} | changes
    return DestinationSettings(confirm, **times)


def delivering(store: Store, objects: Mapping[str, Sequence[ResultObject]], number: int = 1, at: datetime = T0) -> Case:
    """Open the case of patient `number`, answer it, and put its objects into the outbox by destination."""
    with store.unit() as unit:
        case = unit.open_case("aln", PatientKey("EXAMPLE", f"P{number}"), at, UUID(int=number))
        case = unit.apply(case, CaseEvent.COMPLETE, at)
        claimed = unit.claim(at, at + timedelta(hours=1), "worker")
        assert claimed is not None
        assert claimed.id == case.id
        return unit.save_result(claimed, at, {}, objects)


@dataclass
class Delivery:
    """A courier with one destination, "pacs", a fake one unless another is given."""

    confirm: str = "read_back"
    store: Store = field(default_factory=FakeStore)
    pacs: FakePacs = field(default_factory=FakePacs)
    clock: Clock = field(default_factory=Clock)
    random: Callable[[], float] = lambda: 1.0
    changes: dict[str, float] = field(default_factory=dict)
    archives: dict[str, Archive] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.archives = {"pacs": self.pacs} | self.archives
        self.restart()

    def restart(self) -> None:
        """Make the courier anew, as after a restart of the agent."""
        served = {name: settings(self.confirm, **self.changes) for name in self.archives}
        self.courier = Courier(self.store, self.archives, served, self.clock, self.random)

    def case(self, number: int = 1, captures: int = 2, destinations: Sequence[str] = ("pacs",)) -> Case:
        """Put a case with an SR, a text SR and captures on its way; UIDs 100 apart from case to case."""
        objects = one_result(100 * number, captures)
        return delivering(self.store, dict.fromkeys(destinations, objects), number, self.clock())

    def now(self, case: Case) -> Case:
        """Return the case as it stands now."""
        with self.store.unit() as unit:
            return unit.case(case.id)

    def items(self, case: Case, destination: str = "pacs") -> list[OutboxItem]:
        """Return its outbox items of a destination."""
        with self.store.unit() as unit:
            return [i for i in unit.outbox_of(case.id) if i.destination == destination]

    def status(self, case: Case, destination: str = "pacs") -> list[OutboxStatus]:
        """Return where each of its items stands."""
        return [i.status for i in self.items(case, destination)]

    def uids(self, case: Case) -> list[str]:
        """Return the SOP Instance UIDs of its objects, in sending order."""
        with self.store.unit() as unit:
            return [o.sop_instance_uid for o in unit.result_objects(case.id)]
