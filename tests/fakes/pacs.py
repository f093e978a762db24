"""A PACS in memory: what `agent.dimse.client` sees of a real one. Both pass one contract test."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.ports import StoreOutcome
from agent.dimse.part10 import split


@dataclass
class FakePacs:
    """An `Archive`. All switches may change while it is used."""

    refuse_first: int = 0  # calls that find no association before the first that does
    down: bool = False
    refuse_sop_classes: frozenset[str] = frozenset()
    status: dict[str, int] = field(default_factory=dict)  # C-STORE status by SOP Instance or SOP Class UID
    break_after: int | None = None  # responses before the connection is lost, each association anew
    loses: set[str] = field(default_factory=set)  # SOP Instance UIDs answered with success and not kept
    offers_commitment: bool = True
    offers_find: bool = True

    kept: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # SOP Instance UIDs of all C-STORE requests, in order
    associations: list[str] = field(default_factory=list)  # what each was for: store, find, commit, echo
    released: int = 0
    transactions: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def _associate(self, purpose: str) -> None:
        self.associations.append(purpose)
        if self.down or len(self.associations) <= self.refuse_first:
            raise Unreachable("the fake PACS rejected the association")

    def store(self, parts: Sequence[bytes]) -> Generator[StoreOutcome, None, None]:
        """Keep the objects."""
        split_parts = [split(p) for p in parts]
        if not parts:
            return
        self._associate("store")
        try:
            for number, (part, encoded) in enumerate(zip(split_parts, parts, strict=True)):
                if part.sop_class_uid in self.refuse_sop_classes:
                    yield StoreOutcome(part.sop_instance_uid, None)
                    continue
                self.requests.append(part.sop_instance_uid)
                if number == self.break_after:
                    raise Transient("the connection is lost")
                status = self.status.get(part.sop_instance_uid, self.status.get(part.sop_class_uid, 0x0000))
                if (status == 0 or status >> 12 == 0xB) and part.sop_instance_uid not in self.loses:
                    self.kept[part.sop_instance_uid] = encoded
                yield StoreOutcome(part.sop_instance_uid, status)
        finally:
            self.released += 1

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the object is kept."""
        self._associate("find")
        if not self.offers_find:
            raise Transient("the fake PACS does not offer C-FIND")
        encoded = self.kept.get(sop_instance_uid, b"")
        return study_instance_uid.encode() in encoded and series_instance_uid.encode() in encoded

    def request_commitment(self, transaction_uid: str, instances: Sequence[tuple[str, str]]) -> None:
        """Note the request; a test makes the report."""
        self._associate("commit")
        if not self.offers_commitment:
            raise Permanent("no storage commitment")
        self.transactions[transaction_uid] = tuple(instances)

    def echo(self) -> None:
        """Answer."""
        self._associate("echo")
