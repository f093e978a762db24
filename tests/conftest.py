"""What holds for every test: no deadline for properties, coverage measured where it tells, skips counted."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import settings

from tests.prepared import forking

settings.register_profile("sentinode", deadline=None)
settings.load_profile("sentinode")

TESTS = Path(__file__).parent
# These run the agent in processes of their own, test what is beside it, or go once more, scene by scene, through what
# others measure: being traced only doubles their time.
UNMEASURED = tuple(
    TESTS / place
    for place in (
        *("acceptance", "faults", "models", "viewer", "unit/demo", "integration/demo", "unit/test_conformance.py"),
        *("unit/report/test_valid_iod.py", "unit/report/test_questions.py", "unit/report/test_bench_report.py"),
        *("unit/report/test_german.py", "unit/assemble/test_retention_histories.py"),
        *("integration/assemble/test_bench_assemble.py", "integration/dimse/test_bench_sending.py"),
    )
)
# Being traced doubles the time of the libraries that these call; later cases of a parametrised test, and random ones,
# go the way of the first; the core, of which every branch is to be seen, is not among them.
FIRST_CASE_MEASURED = tuple(TESTS / place for place in ("unit/report", "rooms", "integration/lineage"))
# These wait more than they work: begun first, they leave the processor to the others and are not the end of the run.
FIRST = tuple(TESTS / place for place in ("viewer", "faults", "acceptance"))


@pytest.fixture(scope="session", autouse=True)
def forked_agents() -> Iterator[None]:
    """The harness forks what it starts."""
    with forking():
        yield


def _is_in(item: pytest.Item, places: tuple[Path, ...]) -> bool:
    return any(item.path.is_relative_to(place) for place in places)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest."""
    items.sort(key=lambda item: not _is_in(item, FIRST))


def _is_measured(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    is_later_case = call is not None and any(call.indices.values())
    is_random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return not (_is_in(item, UNMEASURED) or ((is_later_case or is_random) and _is_in(item, FIRST_CASE_MEASURED)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Stop measuring coverage while a test runs that is not to be measured, its fixtures and threads with it."""
    stopped = []
    if not _is_measured(item):
        while measuring := Coverage.current():  # in a process of xdist two, one above the other
            measuring.stop()
            stopped.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with one line that counts what was skipped for want of a peer, by reason."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else "unknown"
        for report in terminalreporter.stats.get("skipped", [])
    )
    told = "; ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items())) or "nothing"
    terminalreporter.write_line(f"skipped: {told}")
