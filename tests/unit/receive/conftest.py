"""What the receiver's tests share."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keep the log from being rendered, where thousands of objects are stored."""
    with capture_logs():
        yield
