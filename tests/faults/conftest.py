"""Installations that are killed, one for each database."""

from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation
from tests.postgres import PostgresServer, postgres

__all__ = ["postgres"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An agent with two archives and senders; the tests of a module share it, as a hospital's days do."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    with Installation(tmp_path_factory.mktemp(request.param), url) as made:
        yield made
