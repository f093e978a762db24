"""What is told of a run, in one order: what a disk was asked for, what a sender was told, what a keeper gave up."""

from dataclasses import dataclass

from tests.faults.receive.ledger import Taken


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes on their way to a file; none where it only grew."""

    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What was written there is durable now."""

    file: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync that began, or that ended: well or not."""

    file: int
    number: int
    is_over: bool = False
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A change of names in one step: name -> file, None for a name that is gone."""

    names: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The sender has been told that it may forget."""

    key: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A keeper has taken everything in; what stood in segments that it releases is asked no more."""

    taken: Taken
    keys: frozenset[str]


Event = Wrote | Settled | Sync | Named | Acknowledged | GivenUp
