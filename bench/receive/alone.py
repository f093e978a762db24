"""The agent with its receiver alone: `python -m bench.receive.alone serve ...`.

Supervisor and receiver are the real ones, forked with everything that is imported in a whole agent. Without keeper and
workers nothing else takes the processor, and nothing that the sender does not see.
"""

from collections.abc import Mapping
from datetime import datetime

from agent import cli
from agent.bootstrap import checks, roles
from agent.bootstrap.receiver import run_receiver


def _receiver(workers: int, agent_started: datetime) -> Mapping[str, roles.Role]:
    return {"receiver": run_receiver}


def main() -> None:
    """Serve."""
    roles.roles = _receiver
    checks.refuse_to_start = lambda *_: None  # of database, bundles and EHR it needs nothing
    cli.main()


if __name__ == "__main__":
    main()
