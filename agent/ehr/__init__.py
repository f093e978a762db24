"""Read-only clinical queries of the hospital's database."""

from agent.ehr.source import EhrSource

__all__ = ["EhrSource"]
