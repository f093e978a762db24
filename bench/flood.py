"""python -m bench.flood: a legitimate C-ECHO while somebody floods the receiver, and what the flood costs it.

The receiver's own process, made from a configuration as the agent makes it. The flood comes from the address of a peer
(127.0.0.2): connections that say nothing, associations that do nothing, senders that drip, and some that keep the
receiver busy with fragments of nothing. The C-ECHO comes from
another address, and from the flood's own under an AE title of its own. The last line is JSON; figures that do not hold
make it exit with 1.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bench.figures import rounded
from bench.flood_attack import attacking, reconnecting
from tests.harness import free_port
from tests.peers import ROOT
from tests.receivers import EVERYTHING
from tests.senders import IMPLICIT, VERIFICATION, AssociationAborted, AssociationRejected, RawAssociation, associate_rq

BOUNDS: Final = {"echo_worst_s": 2.0, "rss_mib": 1024.0, "normal_again_s": 60.0, "slow_closed_s": 30.0}
FLOODING, ELSEWHERE = "127.0.0.2", "127.0.0.1"
_ECHO: Final = [(VERIFICATION, [IMPLICIT])]
_STORAGE: Final = EVERYTHING[:2]
_PEERS: Final = [
    {"ae_title": "FLOOD", "host": FLOODING, "may": ["store", "echo", "commit"]},
    {"ae_title": "BESIDE", "host": FLOODING, "may": ["echo"]},
    {"ae_title": "PACS", "host": ELSEWHERE, "may": ["store", "echo"]},
]
_CODE: Final = """
import sys
from pathlib import Path
from agent.bootstrap.common import Stop
from agent.bootstrap.receiver import run_receiver
from agent.config import load_config
stop = Stop()
stop.listen()
run_receiver(load_config(Path(sys.argv[1]), [Path(sys.argv[2])]).config, stop)
"""

Contexts = Sequence[tuple[str, list[str]]]


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    idle: int = 1000
    associations: int = 200
    slow: int = 50
    busy: int = 16
    echoes: int = 20
    pdu_timeout_s: float = 25.0


@dataclass(frozen=True)
class Target:
    """A receiver's process."""

    pid: int
    port: int

    def status(self, name: str) -> int:
        """Return a number of its /proc/PID/status."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))

    def load(self) -> tuple[int, int]:
        """Return its threads and open sockets."""
        return self.status("Threads"), sum(self._is_socket(name) for name in os.listdir(f"/proc/{self.pid}/fd"))

    def _is_socket(self, descriptor: str) -> bool:
        try:
            return os.readlink(f"/proc/{self.pid}/fd/{descriptor}").startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            return False


@contextmanager
def receiver(size: Size, **dicom: Any) -> Iterator[Target]:
    """Run a receiver; by default it takes all the associations of the flood, and has a place for others."""
    with tempfile.TemporaryDirectory() as folder:
        chosen: dict[str, Any] = {
            "port": free_port(),
            "peers": _PEERS,
            "max_associations": size.associations + 20,
            "max_associations_per_peer": size.associations,
            "pdu_timeout_s": size.pdu_timeout_s,
        } | dicom
        storage = {"spool": f"{folder}/spool", "refuse_below_free_bytes": 0}
        overrides = Path(folder, "overrides.yaml")
        overrides.write_text(yaml.safe_dump({"dicom": chosen, "storage": storage}), encoding="utf-8")
        command = [sys.executable, "-c", _CODE, str(ROOT / "config.yaml"), str(overrides)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own
            target = Target(process.pid, chosen["port"])
            try:
                _until(lambda: _echo_s(target) < 60, 30)
                yield target
            finally:
                process.terminate()


def flood(
    target: Target, size: Size, contexts: Sequence[tuple[str, list[str]]], say: Callable[[str], None]
) -> dict[str, float]:
    """Let a flood come and go, and return what was seen meanwhile."""
    before = target.load()
    with ExitStack() as stack:
        for _ in range(size.idle):
            stack.enter_context(socket.create_connection((ELSEWHERE, target.port), 30, (FLOODING, 0)))
        opened = [_associate(target, contexts, stack) for _ in range(size.associations)]
        threads, files = target.load()
        say(
            f"  {size.idle} idle connections, {sum(opened)} of {size.associations} associations: "
            f"{threads} threads, {files} sockets"
        )
        with reconnecting(lambda stack: _connection(target, stack)):
            times = _echo_times(target, size)
        rss = target.status("VmHWM") / 1024
    ended = time.monotonic()
    _until(lambda: all(now <= then + 2 for now, then in zip(target.load(), before, strict=True)), 120)
    found = {
        "associations": float(sum(opened)),
        "threads": float(threads),
        "echo_worst_s": max(times),
        "echo_median_s": sorted(times)[len(times) // 2],
        "rss_mib": rss,
        "normal_again_s": time.monotonic() - ended,
    }
    say("  " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    return found


def slow(target: Target, size: Size, say: Callable[[str], None]) -> float:
    """Return how long senders stay that send three bytes, a byte a second, or a byte a second of an object."""
    request = associate_rq("FLOOD", "SENTINODE", EVERYTHING, {})
    begun = time.monotonic()
    with ExitStack() as stack:
        silent = [_connection(target, stack) for _ in range(size.slow)]
        dripping = [_connection(target, stack) for _ in range(size.slow)]
        within = []
        for _ in range(min(size.slow, 10)):
            association = _flooding(target, _STORAGE)
            stack.callback(association.socket.close)
            within.append(association.socket)
        for connection in silent:
            connection.sendall(request[:3])
        for connection in within:
            connection.sendall(b"\4\0\0\0\x40\0")
        left = [*silent, *dripping, *within]
        at = 0
        while left and time.monotonic() - begun < 2 * size.pdu_timeout_s + 10:
            for connection in (*dripping, *within):
                with suppress(OSError):
                    connection.sendall(request[at : at + 1])
            at += 1
            time.sleep(min(1.0, size.pdu_timeout_s / 25))
            left = [connection for connection in left if not _is_closed(connection)]
    took = time.monotonic() - begun
    count = len(silent + dripping + within)
    say(f"  the last of {count} was closed after {took:.1f} s, {len(left)} never")
    return took if not left else float("inf")


def attack(target: Target, size: Size, say: Callable[[str], None]) -> dict[str, float]:
    """Return how long a C-ECHO takes beside associations that send nothing as fast as they can."""
    with attacking(lambda: _flooding(target, _STORAGE), size.busy):
        times = _echo_times(target, size)
    found = {"echo_worst_s": max(times), "rss_mib": target.status("VmHWM") / 1024}
    say("  " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    return found


def _flooding(target: Target, contexts: Contexts) -> RawAssociation:
    return RawAssociation(
        ELSEWHERE, target.port, calling="FLOOD", called="SENTINODE", contexts=contexts, source=FLOODING
    )


def _associate(target: Target, contexts: Contexts, stack: ExitStack) -> bool:
    try:
        association = _flooding(target, contexts)
    except (AssociationRejected, AssociationAborted):
        return False
    stack.callback(association.socket.close)
    return True


def _echo_times(target: Target, size: Size) -> list[float]:
    """Return the seconds of C-ECHOs from elsewhere, and from the flood's own address, in turn."""
    callers = ((ELSEWHERE, "PACS"), (FLOODING, "BESIDE"))
    return [_echo_s(target, source, calling) for _ in range(size.echoes) for source, calling in callers]


def _echo_s(target: Target, source: str = ELSEWHERE, calling: str = "PACS") -> float:
    """Return how long connecting, associating, C-ECHO and releasing take; infinite where one fails."""
    begun = time.monotonic()
    try:
        with RawAssociation(
            ELSEWHERE, target.port, calling=calling, called="SENTINODE", contexts=_ECHO, source=source, timeout_s=10
        ) as association:
            if association.echo(1) != 0:
                return float("inf")
    except (AssociationRejected, AssociationAborted, OSError):
        return float("inf")
    return time.monotonic() - begun


def _connection(target: Target, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection((ELSEWHERE, target.port), 30, (FLOODING, 0)))


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return not connection.recv(4096)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(30)


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the receiver did not come to what was waited for")
        time.sleep(0.05)


def bench(size: Size, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the figures, each with its bound."""
    seen = []
    for name, contexts, limits in (
        ("associations for storage", _STORAGE, {}),
        ("associations that pynetdicom serves", EVERYTHING, {}),
        ("limits as they are by default", _STORAGE, {"max_associations": 64, "max_associations_per_peer": 16}),
    ):
        say(name)
        with receiver(size, **limits) as target:
            seen.append(flood(target, size, contexts, say))
    say("busy senders")
    with receiver(size) as target:
        seen.append(attack(target, size, say))
    say("slow senders")
    with receiver(size) as target:
        seen.append({"slow_closed_s": slow(target, size, say)})
    figures = {}
    for name, bound in BOUNDS.items():
        value = max(found[name] for found in seen if name in found)
        figures[name] = {"value": rounded(value), "bound": bound, "holds": value <= bound}
    return {"name": "flood", "figures": figures, "holds": all(one["holds"] for one in figures.values())}


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--idle", type=int, default=Size.idle)
    parser.add_argument("--associations", type=int, default=Size.associations)
    given = parser.parse_args()
    found = bench(Size(given.idle, given.associations), lambda line: print(line, flush=True))
    for name, figure in found["figures"].items():
        verdict = "holds" if figure["holds"] else "DOES NOT HOLD"
        print(f"{name:16} {figure['value']:10.3f}   at most {figure['bound']:6.0f}   {verdict}")
    print(json.dumps(found))
    sys.exit(not found["holds"])


if __name__ == "__main__":
    main()
