"""Full disks: a receiver is sent objects until it refuses, is given room again, and must receive within 30 s.

The disk is a small one of its own in memory, where we may mount one; a limit of file sizes does it everywhere, and cuts
off at another place: in the middle of a file.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.faults.receive.ledger import Broken, Ledger, check
from tests.faults.receive.processes import ReceiverProcess, Zygote
from tests.faults.receive.sending import associate_for_storage, store, store_all, things
from tests.receivers import SC, SUCCESS
from tests.senders import RawAssociation

Tell = Callable[[str, Broken], None]
OUT_OF_RESOURCES = 0xA700
ENOUGH = 1 << 26
LARGE = 1 << 23
SIZES = (2_000, 40_000, 300_000, 90_000, 700)
_ECHO = 3  # presentation context
_MOST = 200


def may_mount(place: Path) -> bool:
    """Tell whether we may mount a disk."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    probe = place / "probe"
    probe.mkdir()
    done = subprocess.run([*_MOUNT, "size=64k", "tmpfs", str(probe)], capture_output=True, check=False)
    if done.returncode == 0:
        subprocess.run(["umount", str(probe)], check=True)
    probe.rmdir()
    return done.returncode == 0


class Full:
    """Trials on disks of one size after the other."""

    def __init__(self, zygote: Zygote, place: Path, tell: Tell, *, seed: int = 1) -> None:
        self._zygote, self._place, self._tell, self._seed = zygote, place, tell, seed
        self._spool = place / "spool"

    def fill_disk(self, size: int) -> None:
        """Fill a disk of so many bytes; give it more."""
        self._spool.mkdir()
        mount = [*_MOUNT, f"size={size},mode=700", "tmpfs", str(self._spool)]
        subprocess.run(mount, check=True)
        try:
            with self._running() as receiver:
                more = [*_MOUNT, f"remount,size={ENOUGH}", str(self._spool)]
                ledger = self._fill(receiver, lambda: subprocess.run(more, check=True))
            shutil.copytree(self._spool, self._place / "left")
        finally:
            subprocess.run(["umount", str(self._spool)], check=True)
            self._spool.rmdir()
        self._judge(f"a disk of {size} bytes full", self._place / "left", ledger)

    def limit_files(self, size: int) -> None:
        """Let no file grow beyond so many bytes; lift that again."""
        with self._running() as receiver:
            _, hard = resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (size, hard))
            ledger = self._fill(receiver, lambda: resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (hard, hard)))
        self._judge(f"no file beyond {size} bytes", self._spool, ledger)

    @contextmanager
    def _running(self) -> Iterator[ReceiverProcess]:
        with ReceiverProcess(self._zygote, self._place) as receiver:
            receiver.go()
            receiver.wait_listening()
            assert receiver.is_alive(), "a receiver that does not start on a full disk"
            yield receiver

    def _fill(self, receiver: ReceiverProcess, relieve: Callable[[], object]) -> Ledger:
        """Send until there is a refusal, ask for an echo, give room, and send what is left."""
        ledger, left = Ledger(), things(self._seed, SIZES * (_MOST // len(SIZES)))
        with associate_for_storage(receiver.port) as association:
            while left and store(association, left[0], ledger):
                left = left[1:]
            assert left, "the disk did not fill"
            self._refuses_large(association, ledger)
            assert association.echo(_ECHO) == SUCCESS, "no echo on a full disk"
            relieve()
        open_one = partial(associate_for_storage, receiver.port)
        assert store_all(None, open_one, left[: len(SIZES)], ledger, receiver.is_alive), "not receiving with room again"
        return ledger

    def _refuses_large(self, association: RawAssociation, ledger: Ledger) -> None:
        """Send what cannot fit: it is taken off the wire, and refused."""
        (large,) = things(self._seed + 1, [LARGE])
        ledger.sent.add(large.key)
        status = association.store(1, SC, large.uid, large.payload)
        assert status == OUT_OF_RESOURCES, f"status {status:04X} on a full disk"

    def _judge(self, what: str, spool: Path, ledger: Ledger) -> None:
        self._tell(what, check(spool, ledger))
        shutil.rmtree(spool)


_MOUNT = ["mount", "-t", "tmpfs", "-o"]
