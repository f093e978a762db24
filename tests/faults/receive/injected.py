"""Kills and failing calls: at every named point, and at the n-th call of every kind for n = 1 until none comes.

Three times each: from a receiver's first call on, on all of its threads once it listens, and on the threads of one
association alone (strace counts the calls of each thread on its own).
"""

import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from agent.crashpoint import POINTS
from tests.faults.receive.ledger import Broken, Ledger, check, key
from tests.faults.receive.processes import Injection, ReceiverProcess, Zygote, wait_for_threads
from tests.faults.receive.sending import HOST, LARGE, Thing, associate, associate_for_storage, store, store_all, things
from tests.faults.receive.used_anew import came_into, release_closed
from tests.hl7_sender import adt_a08, fields, send
from tests.receivers import COMMITMENT, SUCCESS
from tests.senders import AssociationAborted, RawAssociation

Tell = Callable[[str, Broken], None]
OURS = tuple(name for name in POINTS if name.startswith(("receive.", "spool.")))
CALLS = {
    "sync": "fsync,fdatasync",
    "write": "pwrite64,pwritev,pwritev2",
    "open": "?open,openat",
    "name": "fallocate,?rename,?renameat,?renameat2,?unlink,?unlinkat",
}
FAULTS = ("signal=SIGKILL", "error=EIO", "error=ENOSPC")
TRIES = 5
PHASES = ("start", "serving", "association")
OLD_SIZES = (5_000, 100_000, 100_000, 100_000, 130_000, 30_000)  # some segments are full
SIZES = (2_000, 90_000, 40_000, LARGE, 700)
REPORT = b"\x08\x00\x95\x11\x06\x00\x00\x002.25.1"  # Transaction UID, implicit VR little endian


@dataclass(frozen=True, slots=True)
class Fault:
    """The n-th call of some kind goes wrong in some way, counted from some moment on."""

    phase: str
    calls: str
    fault: str
    number: int

    def __str__(self) -> str:
        return f"{self.fault} at {self.calls} {self.number} from {self.phase} on"


class Trials:
    """Receivers that are tried one after the other, each on a copy of one spool that a killed one left.

    Some of its segments are released, so that what comes goes into them.

    Parameters
    ----------
    place
        Folder for everything.
    tell
        Is told of each trial.
    planted
        Name of a defect that every receiver has.
    """

    def __init__(self, zygote: Zygote, place: Path, tell: Tell, *, seed: int = 1, planted: str = "") -> None:
        self._zygote, self._place, self._tell, self._planted = zygote, place, tell, planted
        self._things = things(seed, SIZES)
        self._spool = place / "spool"
        self._template = place / "template"
        self._make_template(things(seed + 1, OLD_SIZES))

    def kill_at_points(self, points: tuple[str, ...] = OURS, most: int | None = None) -> set[str]:
        """Kill at every crossing of every point until a run crosses it no more; return where a kill came."""
        reached = set()
        for point in points:
            for hit in count(1) if most is None else range(1, most + 1):
                if not self._kill_at(point, hit):
                    break
                reached.add(point)
        return reached

    def inject(self, *, every: int = 1, phases: tuple[str, ...] = PHASES) -> None:
        """Let calls fail, each in turn until none is left."""
        for phase in phases:
            for calls in CALLS:
                for fault in FAULTS:
                    for number in count(1, every):
                        if not self.one(Fault(phase, calls, fault, number)):
                            break

    def one(self, fault: Fault) -> bool:
        """Try one fault; return whether it came."""
        ledger = self._copy_template()
        with ReceiverProcess(self._zygote, self._place, planted=self._planted) as receiver:
            injection = self._attach({receiver.pid}, fault) if fault.phase == "start" else None
            receiver.go()
            receiver.wait_listening()
            first = None
            if fault.phase == "serving":
                injection = self._attach({receiver.pid}, fault)
            elif fault.phase == "association":
                before = receiver.threads()
                first = associate_for_storage(receiver.port)
                injection = self._attach(wait_for_threads(receiver, before), fault)
            is_done = self._store(receiver, ledger, first)
            assert injection is not None
            came = injection.end() or receiver.wait_dead(0) == -signal.SIGKILL
            is_alive = receiver.is_alive()
        if not is_done and "KILL" not in fault.fault and (is_alive or not self._again(ledger)):
            self._tell(str(fault), Broken(stuck=frozenset(ledger.sent - ledger.acknowledged)))
        if came:
            self._tell(str(fault), check(self._spool, ledger))
        return came

    def _attach(self, pids: set[int], fault: Fault) -> Injection:
        trace, is_alone = self._place / "strace", fault.phase == "association"
        return Injection(pids, CALLS[fault.calls], fault.fault, fault.number, trace, alone=is_alone)

    def _kill_at(self, point: str, hit: int) -> bool:
        ledger = self._copy_template()
        with ReceiverProcess(self._zygote, self._place, kill_at=f"{point}:{hit}", planted=self._planted) as receiver:
            receiver.go()
            receiver.wait_listening()
            if self._store(receiver, ledger) and receiver.is_alive():
                self._send_others(receiver, ledger)
            came = receiver.wait_dead(0.5) == -signal.SIGKILL
        if came:
            self._tell(f"killed at {point}, crossing {hit}", check(self._spool, ledger))
        return came

    def _send_others(self, receiver: ReceiverProcess, ledger: Ledger) -> None:
        """Send objects and a commitment report over one association, and an HL7 message, unless it dies meanwhile."""
        with suppress(AssociationAborted, OSError), associate(receiver.port) as association:
            for thing in things(99, (3_000, 150_000)):
                store(association, thing, ledger)
            ledger.sent.add(key("EVENT_REPORT", REPORT))
            if association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, REPORT) == SUCCESS:
                ledger.acknowledged.add(key("EVENT_REPORT", REPORT))
        message = adt_a08("P1^^^HOSP^PI", control_id="7")
        ledger.sent.add(key("HL7", message))
        with suppress(ConnectionError):
            if fields(send(HOST, receiver.hl7_port, message), "MSA")[1] == "AA":
                ledger.acknowledged.add(key("HL7", message))

    def _again(self, ledger: Ledger) -> bool:
        """Start one without a fault, as the supervisor does; return whether it takes everything."""
        with ReceiverProcess(self._zygote, self._place, planted=self._planted) as receiver:
            receiver.go()
            receiver.wait_listening()
            return self._store(receiver, ledger)

    def _store(self, receiver: ReceiverProcess, ledger: Ledger, first: RawAssociation | None = None) -> bool:
        open_one = partial(associate_for_storage, receiver.port)
        wanted = [thing for thing in self._things if thing.key not in ledger.acknowledged]
        return store_all(first, open_one, wanted, ledger, receiver.is_alive)

    def _make_template(self, earlier: list[Thing]) -> None:
        """Leave a spool of which, without a fault or a defect, a receiver uses segments anew.

        Mostly it does: the next segment is got ready meanwhile, and what is left open may have room for everything.
        """
        for _ in range(TRIES):
            released = self._leave_spool(earlier)
            if self._planted or self._uses_anew(released):
                return
        raise AssertionError("no segment was used anew")

    def _leave_spool(self, earlier: list[Thing]) -> set[int]:
        """Leave one as a killed receiver and a keeper leave it, some objects acknowledged; return what was released."""
        self._before = Ledger()
        for old in (self._spool, self._template):
            shutil.rmtree(old, ignore_errors=True)
        with ReceiverProcess(self._zygote, self._place) as receiver:
            receiver.go()
            receiver.wait_listening()
            open_one = partial(associate_for_storage, receiver.port)
            assert store_all(None, open_one, earlier, self._before, receiver.is_alive)
        released = release_closed(self._spool, self._before)
        assert self._before.acknowledged, "nothing that must stay"
        self._spool.rename(self._template)
        return released

    def _uses_anew(self, released: set[int]) -> bool:
        """Whether something comes into one of these segments."""
        assert self._again(self._copy_template())
        return came_into(self._spool, released, {thing.key for thing in self._things})

    def _copy_template(self) -> Ledger:
        shutil.rmtree(self._spool, ignore_errors=True)
        shutil.copytree(self._template, self._spool)
        return self._before.copy()
