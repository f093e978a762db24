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

from agent.spool import segments
from tests.faults.receive.ledger import SEGMENT_BYTES, Broken, Ledger, check
from tests.faults.receive.processes import ReceiverProcess, Zygote
from tests.faults.receive.sending import Thing, associate_for_storage, store, store_all, things
from tests.harness import wait_until
from tests.receivers import SC, SUCCESS
from tests.senders import RawAssociation

Tell = Callable[[str, Broken], None]
OUT_OF_RESOURCES = 0xA700
ENOUGH = 1 << 26
LARGE = 1 << 23
_BELOW = 4 * SEGMENT_BYTES  # more than the spool has in reserve
_PART = bytes(16_000)
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
        with self._small_disk(size), self._running() as receiver:
            more = [*_MOUNT, f"remount,size={ENOUGH}", str(self._spool)]
            ledger = self._fill(receiver, lambda: subprocess.run(more, check=True))
        self._judge(f"a disk of {size} bytes full", self._place / "left", ledger)

    def leave_unfinished(self, size: int, *, is_killed: bool) -> None:
        """Leave half an object on a disk of so many bytes, which others fill to the watermark meanwhile.

        Its sender goes, or the receiver is killed. What it took is enough for the next.
        """
        ledger, (kept, *more) = Ledger(), things(self._seed, SIZES)
        with self._small_disk(size):
            with self._running(size // 2) as receiver:
                with associate_for_storage(receiver.port) as association:
                    assert store(association, kept, ledger)
                sender = associate_for_storage(receiver.port)
                self._send_half(sender, size // 16)  # of a peer an eighth at most, for half of the disk is left free
                status = os.statvfs(self._spool)
                (self._spool / "of others").write_bytes(bytes(status.f_bavail * status.f_frsize - size // 2 + _BELOW))
                if is_killed:
                    receiver.kill()
                sender.reset()
                if not is_killed:
                    self._receives_again(receiver, more, ledger)
            if is_killed:
                with self._running(size // 2) as receiver:
                    self._receives_again(receiver, more, ledger)
        what = "the receiver killed" if is_killed else "its sender gone"
        self._judge(f"half an object at the watermark, {what}", self._place / "left", ledger)

    @contextmanager
    def _small_disk(self, size: int) -> Iterator[None]:
        """Have the spool on a disk of so many bytes; what is on it at the end is copied."""
        self._spool.mkdir()
        subprocess.run([*_MOUNT, f"size={size},mode=700", "tmpfs", str(self._spool)], check=True)
        try:
            yield
            shutil.copytree(self._spool, self._place / "left")
        finally:
            subprocess.run(["umount", str(self._spool)], check=True)
            self._spool.rmdir()

    def _send_half(self, sender: RawAssociation, length: int) -> None:
        """Send so much of an object and more, until it has a segment of its own for that."""
        sender.send_command(1, 0x0001, SC, "2.25.9")
        for _ in range(length // len(_PART) + 1):
            sender.send_pdv(1, 0, _PART)
        wait_until(lambda: max(one.size for one in segments(self._spool)) > length, 10, "no segment of its own")

    def _receives_again(self, receiver: ReceiverProcess, wanted: list[Thing], ledger: Ledger) -> None:
        open_one = partial(associate_for_storage, receiver.port)
        assert store_all(None, open_one, wanted, ledger, receiver.is_alive), "not receiving behind half an object"

    def limit_files(self, size: int) -> None:
        """Let no file grow beyond so many bytes; lift that again."""
        with self._running() as receiver:
            _, hard = resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (size, hard))
            ledger = self._fill(receiver, lambda: resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (hard, hard)))
        self._judge(f"no file beyond {size} bytes", self._spool, ledger)

    @contextmanager
    def _running(self, watermark: int = 0) -> Iterator[ReceiverProcess]:
        with ReceiverProcess(self._zygote, self._place, watermark=watermark) as receiver:
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
