"""The agent without workers, brought back at once however often it dies: what sends, and nothing else.

`python -m tests.faults.deliver.sender serve ...`: supervisor, receiver and keeper are the real ones.
"""

from collections.abc import Mapping
from datetime import datetime

from agent import cli, serve
from agent.bootstrap import roles
from agent.bootstrap.keeper import run_keeper
from agent.bootstrap.receiver import run_receiver


def _senders(workers: int, agent_started: datetime) -> Mapping[str, roles.Role]:
    return {"receiver": run_receiver, "keeper": run_keeper}


def main() -> None:
    """Serve."""
    roles.roles = _senders
    serve.FREE_DEATHS = 1_000_000  # type: ignore[misc]  # final, but for this test
    cli.main()


if __name__ == "__main__":
    main()
