"""Lives through stories in several orders, counts what is wrong, and makes what failed small."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from agent.core.ports import Store
from agent.state import SqlStore
from agent.state.migration import migrate
from tests.fakes.store import INSTALLATION, FakeStore
from tests.faults.cases.generator import think_up
from tests.faults.cases.oracle import Wrong
from tests.faults.cases.play import State, live, ordered
from tests.faults.cases.shrink import Orders, shrink, tell
from tests.faults.cases.truth import Story

ORDERS: Final = 3
IN_MEMORY: Final = Path("/dev/shm")


@dataclass
class Verdict:
    """What was found wrong in some orders of a story, and how often was looked."""

    found: Counter[Wrong] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    final: State = field(default_factory=dict)

    def blame(self, wrong: Wrong, why: str) -> None:
        """Note that something is wrong."""
        self.found[wrong] += 1
        self.said.append(f"{wrong}: {why}")


class Databases:
    """Stores on SQLite, each on a file of its own, in memory where there is such a place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._migrated = folder / "migrated.db"
        migrate(f"sqlite:///{self._migrated}", new_uuid=lambda: INSTALLATION)

    @contextmanager
    def fresh(self) -> Iterator[Store]:
        """Open an empty store."""
        for left in self._folder.glob("history.db*"):
            left.unlink()
        path = shutil.copy(self._migrated, self._folder / "history.db")
        with closing(SqlStore(f"sqlite:///{path}")) as store:
            yield store


@contextmanager
def databases() -> Iterator[Databases]:
    """Make a place for databases."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Databases(Path(folder))


def judge(story: Story, orders: Orders, on_sql: Databases | None = None, **defects: bool) -> Verdict:
    """Live through some orders of a story, the first once more on SQLite where that is given, and compare the ends."""
    verdict, finals = Verdict(), []
    stores: list[AbstractContextManager[Store]] = [nullcontext(FakeStore()) for _ in orders]
    again = () if on_sql is None else (orders[0],)
    for opening, order in zip([*stores, *(on_sql.fresh() for _ in again if on_sql)], (*orders, *again), strict=True):
        verdict.looks["orders"] += 1
        try:
            with opening as store:
                final, oracle = live(store, story, order, **defects)
        except Exception as exc:  # noqa: BLE001 - whatever it is: this history broke
            verdict.blame(Wrong.CRASHED, f"{type(exc).__name__}: {exc}")
            continue
        finals.append(final)
        verdict.found += oracle.found
        verdict.looks += oracle.looks
        verdict.said += oracle.said
    if any(final != finals[0] for final in finals):
        verdict.blame(Wrong.ORDER, "; ".join(_differences(finals)))
    verdict.final = finals[0] if finals else {}
    return verdict


def _differences(finals: list[State]) -> Iterator[str]:
    first, *others = finals
    for number, other in enumerate(others, 1):
        for name in sorted({*first, *other}):
            one, another = first.get(name), other.get(name)
            if one != another:
                yield f"{name} ends as {_short(one)} in order 0, as {_short(another)} in order {number}"


def _short(stands: Any) -> str:
    return "nothing" if stands is None else str({name: value for name, value in stands.items() if value})


def orders_of(story: Story, seed: int) -> Orders:
    """Return the orders in which a story is lived through."""
    return tuple(ordered(story, seed * ORDERS + number) for number in range(ORDERS))


def story_of(seed: int, on_sql: Databases | None = None, **defects: bool) -> Verdict:
    """Judge the story of a seed."""
    story = think_up(seed)
    return judge(story, orders_of(story, seed), on_sql, **defects)


def minimal(seed: int, **defects: bool) -> str:
    """Tell the smallest part of a failing story that fails in the same way."""
    story = think_up(seed)
    orders = orders_of(story, seed)
    kinds = set(judge(story, orders, **defects).found)

    def fails(some: Orders) -> bool:
        return bool(kinds & set(judge(story, some, **defects).found))

    fewer = [(order,) for order in orders] + [(orders[0], order) for order in orders[1:]]
    small = shrink(next((some for some in fewer if fails(some)), orders), fails)
    said = judge(story, small, **defects).said
    return "\n".join((tell(story, small), *said))
