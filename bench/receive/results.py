"""What was measured, as figures and as rows of a table."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bench.receive.figures import ASSOCIATIONS
from bench.receive.objects import SORTS
from bench.receive.peers import AGENT, FORKING, ORTHANC, STORESCP, Peer

HEAD: Final = (
    f"{'objects':8}{'assoc.':>7}  {'receiver':16}{'objects/s':>10}{'MB/s':>8}{'x storescp':>11}{'CPU s/GB':>10}"
    f"{'RSS MiB':>9}{'written':>9}"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One receiver, one sort of objects, one number of associations, one round."""

    seconds: float
    sent: int
    stored: int
    megabytes: float
    cpu_s: float
    rss_mib: float
    written_bytes: int

    @property
    def mb_per_s(self) -> float:
        """Megabytes a second, of what was answered with success."""
        return self.megabytes * self.stored / self.sent / self.seconds

    @property
    def cpu_s_per_gb(self) -> float:
        """Processor time."""
        return self.cpu_s / (self.megabytes / 1000)

    @property
    def written_per_byte(self) -> float:
        """Bytes written to a disk for each that came."""
        return self.written_bytes / (self.megabytes * 1e6)


Key = tuple[str, int, str]  # sort of objects, associations, receiver


@dataclass
class Results:
    """What each round measured, and how often a receiver waited for the disk for an object of a sort."""

    rounds: dict[Key, list[Measured]] = field(default_factory=dict)
    syncs: dict[tuple[str, str], float] = field(default_factory=dict)

    def median(self, key: Key, of: Callable[[Measured], float]) -> float | None:
        """Return the median of the rounds, None if there are none."""
        return statistics.median(map(of, self.rounds[key])) if self.rounds.get(key) else None

    def ratio(self, sort: str, count: int, to: Peer) -> float | None:
        """Return how many times as quick as a peer the agent was, round by round, the median."""
        ours, theirs = (self.rounds.get((sort, count, peer.name), []) for peer in (AGENT, to))
        ratios = [one.mb_per_s / other.mb_per_s for one, other in zip(ours, theirs, strict=False) if other.stored]
        return statistics.median(ratios) if ratios else None

    @property
    def unanswered(self) -> int:
        """Objects that were not answered with success, whoever received."""
        return sum(one.sent - one.stored for rounds in self.rounds.values() for one in rounds)

    def row(self, key: Key) -> str:
        """Return a row of the table."""
        sort, count, name = key
        medians = [self.median(key, of) or 0.0 for of in _COLUMNS]
        storescp = self.median((sort, count, STORESCP.name), _COLUMNS[1])
        ratio = f"{medians[1] / storescp:11.2f}" if storescp else f"{'':11}"
        written = f"{medians[4]:9.2f}" if name != FORKING.name else f"{'?':>9}"  # of ended children nobody tells
        per_s, mb_per_s, cpu, rss, _ = medians
        return f"{sort:8}{count:7}  {name:16}{per_s:10.0f}{mb_per_s:8.0f}{ratio}{cpu:10.2f}{rss:9.0f}{written}"

    def figures(self) -> dict[str, float | None]:
        """Return the figures by name, None for what was not measured."""
        found: dict[str, float | None] = {}
        for sort in (one.name for one in SORTS):
            for peer in (STORESCP, ORTHANC):
                found |= {f"{sort}_{count}_vs_{peer.name}": self.ratio(sort, count, peer) for count in ASSOCIATIONS}
            for peer in (AGENT, STORESCP, ORTHANC):
                whose, key = "" if peer is AGENT else f"_{peer.name}", (sort, 1, peer.name)
                found[f"{sort}_cpu_s_per_gb{whose}"] = self.median(key, lambda one: one.cpu_s_per_gb)
                found[f"{sort}_written_per_byte{whose}"] = self.median(key, lambda one: one.written_per_byte)
                found[f"{sort}_syncs_per_instance{whose}"] = self.syncs.get((sort, peer.name))
        at_eight = [one for (_, *of), ones in self.rounds.items() if of == [8, AGENT.name] for one in ones]
        found["rss_mib_8"] = max((one.rss_mib for one in at_eight), default=None)
        return found


_COLUMNS: Final[tuple[Callable[[Measured], float], ...]] = (
    lambda one: one.stored / one.seconds,
    lambda one: one.mb_per_s,
    lambda one: one.cpu_s_per_gb,
    lambda one: one.rss_mib,
    lambda one: one.written_per_byte,
)
