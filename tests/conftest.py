"""What holds for every test: property tests have no deadline, and skips are counted at the end."""

from collections import Counter

import pytest
from hypothesis import settings

settings.register_profile("sentinode", deadline=None)
settings.load_profile("sentinode")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with one line that counts what was skipped for want of a peer, by reason."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else "unknown"
        for report in terminalreporter.stats.get("skipped", [])
    )
    told = "; ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items())) or "nothing"
    terminalreporter.write_line(f"skipped: {told}")
