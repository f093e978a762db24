"""An instance together with the place of its bytes."""

from dataclasses import dataclass
from datetime import datetime

from agent.core.instance import GONE, Instance, SpoolRef


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance that belongs to a case, with the place of its bytes."""

    id: int
    instance: Instance
    ref: SpoolRef
    received_at: datetime

    @property
    def is_gone(self) -> bool:
        """Whether its bytes are no longer kept here."""
        return self.ref == GONE
