"""What the agent knows, in a database: the sole writer of case state."""

from agent.state.schema import schema_version
from agent.state.store import SqlStore, SqlUnit

__all__ = ["SqlStore", "SqlUnit", "schema_version"]
