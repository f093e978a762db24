"""python -m bench.sending: what one association for many objects saves, and several of them under way at once.

The agent's own client against a peer on loopback. It answers at once where associations are compared; where windows
are, some time after each request, and takes the next ones meanwhile. The last line is JSON; ratios that fall short
make it exit with 1.
"""

import argparse
import json
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from agent.core.archive import Archive
from agent.dimse.client import PacsClient
from bench.figures import quantile, rounded
from tests.fakes.objects import SECONDARY_CAPTURE, part10
from tests.scripted_scp import Conversation, Over, Request, ScriptedScp

LEAST_SAVED: Final = 2.0  # one association for all is so much quicker than one each
LEAST_GAIN: Final = 2.0  # and eight at once than one


class Late:
    """Answers each request a while after it came, whatever comes meanwhile."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s

    def __call__(self, talk: Conversation) -> None:
        """Serve one association."""
        due: queue.Queue[tuple[float, Request] | None] = queue.Queue()
        answering = threading.Thread(target=self._answer, args=(talk, due))
        answering.start()
        try:
            while True:
                request = talk.take()
                due.put((time.perf_counter() + self._latency_s, request))
        except Over:
            due.put(None)
            answering.join()
            raise

    def _answer(self, talk: Conversation, due: "queue.Queue[tuple[float, Request] | None]") -> None:
        while (next_one := due.get()) is not None:
            at, request = next_one
            time.sleep(max(at - time.perf_counter(), 0.0))
            talk.answer(request)


def measured(send: Callable[[], object], rounds: int) -> float:
    """Return the median time in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        send()
        times.append(1000 * (time.perf_counter() - began))
    return quantile(times, 50)


def bench(count: int, kilobytes: int, latency_ms: float, rounds: int) -> dict[str, Any]:
    """Send so many objects of such a size in each way."""
    parts = [part10(SECONDARY_CAPTURE, f"2.25.{n}") + bytes(1000 * kilobytes) for n in range(1, count + 1)]
    with ScriptedScp(announced=131072) as scp:
        peer = PacsClient("BENCH", "PEER", "127.0.0.1", scp.port)
        each = measured(lambda: [stored(peer, [part]) for part in parts], rounds)
        together = measured(lambda: stored(peer, parts), rounds)
    with ScriptedScp((Late(latency_ms / 1000),), window=8, announced=131072) as scp:
        one, eight = (PacsClient("BENCH", "PEER", "127.0.0.1", scp.port, max_operations=n) for n in (1, 8))
        single = measured(lambda: stored(one, parts), rounds)
        several = measured(lambda: stored(eight, parts), rounds)
    return {
        "objects": count,
        "kilobytes": kilobytes,
        "latency_ms": latency_ms,
        "association_each_ms": rounded(each),
        "one_association_ms": rounded(together),
        "association_ratio": rounded(each / together),
        "one_at_a_time_ms": rounded(single),
        "eight_at_once_ms": rounded(several),
        "window_ratio": rounded(single / several),
    }


def stored(archive: Archive, parts: list[bytes]) -> None:
    """Store over one association."""
    if any(outcome.status != 0 for outcome in archive.store(parts)):
        raise SystemExit("an object was not stored")


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.sending", description=__doc__)
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--kilobytes", type=int, default=30, help="of each object")
    parser.add_argument("--latency-ms", type=float, default=5.0, help="from the end of a request to its response")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = bench(given.objects, given.kilobytes, given.latency_ms, given.rounds)
    print(f"an association each {found['association_each_ms']:8.0f} ms")
    print(f"one for all         {found['one_association_ms']:8.0f} ms   {found['association_ratio']:.1f} x as quick")
    print(f"late, one at a time {found['one_at_a_time_ms']:8.0f} ms")
    print(f"late, eight at once {found['eight_at_once_ms']:8.0f} ms   {found['window_ratio']:.1f} x as quick")
    print(json.dumps(found))
    sys.exit(0 if found["association_ratio"] >= LEAST_SAVED and found["window_ratio"] >= LEAST_GAIN else 1)


if __name__ == "__main__":
    main()
