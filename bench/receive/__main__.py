"""python -m bench.receive: how quickly the agent's receiver takes objects, beside storescp and Orthanc.

Objects that are made here (MR of 0.5 MB, MG of 27 MB, and of 21 KB) are sent over loopback, in 1, 4 and 8 associations
at once. The receivers take turns within each round, each on a folder of its own, and each has taken as many others of
that sort before; of those nothing is needed any more, so the agent uses their segments anew. Ratios are of rounds, then
their median. CPU time, memory and bytes written are those of the receiver's processes; calls that wait for the disk are
counted under strace, in runs that are not timed. The last line is JSON; a figure that does not hold makes it exit
with 1.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agent.spool import release, segments
from bench.receive.figures import ASSOCIATIONS, BOUNDS, verdict
from bench.receive.objects import SMALL, SORTS, Sent, make
from bench.receive.peers import AE_TITLE, AGENT, FORKING, PEERS, NoStart, Peer, Running, running, spool_of
from bench.receive.results import HEAD, Measured, Results
from bench.receive.sender import send
from bench.receive.syncs import counting, strace
from bench.receive.usage import Watch

QUICK_COUNT: Final = max(ASSOCIATIONS)
QUICK_ROWS: Final = 64
QUICK_BYTES: Final = 4 << 30
MANY: Final = 100_000
SETTLED_S: Final = 1.0
"""So long after its last release an association is over for any receiver."""
MOST_ROUNDS_BEFORE: Final = 12
QUIET_ROUNDS: Final = 3
"""The agent is ready when so many rounds made it no new segment: in fewer not every association fills one."""
Open = Callable[[Peer, str, int], AbstractContextManager[Running]]
Objects = Mapping[str, Sequence[Sent]]


def measure(receiver: Running, objects: Sequence[Sent], associations: int) -> Measured:
    """Send the objects once."""
    size = sum(one.path.stat().st_size for one in objects)
    with Watch(receiver) as watch:
        took = send(receiver.port, AE_TITLE, objects, associations)
    return Measured(
        took.seconds, len(objects), took.stored, size / 1e6, watch.cpu_s, watch.rss_mib, watch.written_bytes
    )


def measure_all(sorts: Objects, peers: Sequence[Peer], rounds: int, opened: Open) -> Results:
    """Measure everything, the receivers by turns; rows are printed as soon as their rounds are done."""
    results = Results()
    print(HEAD, flush=True)
    for sort, objects in sorts.items():
        for associations in ASSOCIATIONS:
            for number in range(rounds):
                for peer in (*peers[number % len(peers) :], *peers[: number % len(peers)]):
                    with opened(peer, sort, associations) as receiver:
                        measured = measure(receiver, objects, associations)
                    results.rounds.setdefault((sort, associations, peer.name), []).append(measured)
            for peer in peers:
                print(results.row((sort, associations, peer.name)), flush=True)
    return results


def count_syncs(sorts: Objects, peers: Sequence[Peer], folder: Path, results: Results) -> None:
    """Count the calls that wait for the disk, if strace is there to count them."""
    program = strace()
    if program is None:
        print("strace is not installed (Debian: apt install strace): calls that wait for the disk are not counted")
        return
    for peer in peers:
        with counting(peer, folder / peer.name, program) as counted:
            for sort, objects in sorts.items():
                found = counted(objects)
                results.syncs[sort, peer.name] = found.total() / len(objects)
                told = ", ".join(f"{number} {call}" for call, number in sorted(found.items())) or "none"
                print(f"waits for the disk, {len(objects)} {sort}, {peer.name}: {told}", flush=True)


def many(objects: Sequence[Sent], folder: Path, most: int) -> dict[str, float]:
    """Return the receiver's memory after a tenth of very many objects, and how much it grew until the last."""
    with fresh(folder, AGENT, [], 0) as receiver:
        sent, early = 0, 0.0
        while sent < most:
            measured = measure(receiver, objects, 8)
            sent += measured.sent
            if not early and sent >= most // 10:
                early = measured.rss_mib
    print(f"memory: {early:.0f} MiB after a tenth of {sent} objects, {measured.rss_mib:.0f} after all", flush=True)
    return {"rss_mib_grown": measured.rss_mib - early}


@contextmanager
def fresh(folder: Path, peer: Peer, first: Sequence[Sent], associations: int) -> Iterator[Running]:
    """Give a receiver that has taken some objects already, on a folder of its own that is gone afterwards."""
    with running(peer, folder) as receiver:
        for _ in rounds_before(peer, spool_of(folder)) if first else ():
            send(receiver.port, AE_TITLE, first, associations)
            time.sleep(SETTLED_S)
        os.sync()  # what came before the measure is no part of it
        yield receiver
    shutil.rmtree(folder)
    os.sync()  # nor is the removing of what the one before received


def rounds_before(peer: Peer, spool: Path) -> Iterator[None]:
    """One round for each receiver, but for the agent as many as it takes until its spool grows no more."""
    made: list[int] = []
    for _ in range(MOST_ROUNDS_BEFORE if peer is AGENT else 1):
        yield
        made.append(release_all(spool))
        if len(made) > QUIET_ROUNDS and made[-1] == made[-1 - QUIET_ROUNDS]:
            return


def release_all(spool: Path) -> int:
    """Say of every closed segment that nothing of it is needed, as the keeper does; return the highest number."""
    found = segments(spool) if spool.is_dir() else []
    for one in found:
        if one.is_closed:
            release(spool, one.number, one.generation)
    return max((one.number for one in found), default=0)


def bench(folder: Path, *, rounds: int, is_quick: bool, is_cold: bool = False) -> tuple[Results, dict[str, Any]]:
    """Run the benchmark; return what was measured, and what the last line says."""
    peers = [peer for peer in PEERS if peer.is_here]
    for peer in PEERS:
        if peer not in peers:
            print(f"{peer.name} is not installed (Debian: apt install {peer.package}): its figures are missing")
    wanted = [replace(sort, count=QUICK_COUNT, rows=QUICK_ROWS) for sort in SORTS] if is_quick else SORTS
    sorts = {sort.name: make(sort, folder / "objects" / sort.name) for sort in wanted}
    first = {} if is_cold else {sort.name: make(sort, folder / "first" / sort.name, sort.count) for sort in wanted}
    with ExitStack() as stack:
        opened = _opener(stack, folder, peers, first, is_quick=is_quick)
        results = measure_all(sorts, peers, rounds, opened)
    count_syncs(sorts, [peer for peer in peers if peer is not FORKING], folder / "counted", results)
    more = {} if is_quick else many(sorts[SMALL.name], folder / "many", MANY)
    said = verdict(
        "receive", results.figures() | more, BOUNDS, rounds=rounds, is_cold=is_cold, unanswered=results.unanswered
    )
    return results, said


def _opener(stack: ExitStack, folder: Path, peers: Sequence[Peer], first: Objects, *, is_quick: bool) -> Open:
    """Return what gives a receiver: each time a new one, or, to be quick, always the same."""
    if not is_quick:
        return lambda peer, sort, associations: fresh(folder / "receiver", peer, first.get(sort, []), associations)
    ready = {peer: stack.enter_context(fresh(folder / peer.name, peer, [], 0)) for peer in peers}
    return lambda peer, sort, associations: nullcontext(ready[peer])


def in_memory() -> Path | None:
    """Return a folder that is on no disk, if there is room in one."""
    found = Path("/dev/shm")  # noqa: S108 - a new folder is made in it
    return found if found.is_dir() and shutil.disk_usage(found).free >= QUICK_BYTES else None


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.receive", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few objects, each receiver started once: no measure")
    parser.add_argument("--cold", action="store_true", help="send nothing before what is measured")
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured; else the temporary one")
    given = parser.parse_args()
    place = given.folder or (in_memory() if given.quick else None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended
    with tempfile.TemporaryDirectory(prefix="sentinode-bench-", dir=place) as made:
        try:
            rounds = 1 if given.quick else given.rounds
            results, said = bench(Path(made), rounds=rounds, is_quick=given.quick, is_cold=given.cold or given.quick)
        except NoStart as error:
            sys.exit(str(error))
    print(json.dumps(said))
    sys.exit(bool(results.unanswered) or not (said["holds"] or given.quick))


if __name__ == "__main__":
    main()
