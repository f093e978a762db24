"""What holds for every test: no deadline for properties, what waits begins first, skips counted."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.prepared import forking

settings.register_profile("sentinode", deadline=None)
settings.load_profile("sentinode")

TESTS = Path(__file__).parent
# A file of these takes minutes, waiting or for a time that is given: begun first, it is not the end of the run.
FIRST = tuple(f"{TESTS / place}{os.sep}" for place in ("viewer", "faults", "acceptance", "fuzz"))


@pytest.fixture(scope="session", autouse=True)
def forked_agents() -> Iterator[None]:
    """The harness forks what it starts."""
    with forking():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest."""
    items.sort(key=lambda item: not str(item.path).startswith(FIRST))


def pytest_collection_finish() -> None:
    """Keep what was collected, thousands of tests, out of each garbage collection to come."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with one line that counts what was skipped for want of a peer, by reason."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else "unknown"
        for report in terminalreporter.stats.get("skipped", [])
    )
    told = "; ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items())) or "nothing"
    terminalreporter.write_line(f"skipped: {told}")
