"""The child of `agent.dicom.decoding`: decodes what it is asked to, one image after the other, under limits.

Each image has its own time; whoever exceeds it is ended by the kernel, in whatever library that happens.
"""

import fcntl
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from agent.core.errors import Rejected
from agent.dicom.pixels import Pixels, decode, open_frames

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_LARGEST_REQUEST: Final = 1 << 12


class Server:
    """Answers requests until nobody asks any more.

    Parameters
    ----------
    peer
        The socket to whoever asks.
    image
        Descriptor of the memory in which images come.
    seconds
        Of CPU and of wall clock that an image may take.
    """

    def __init__(self, peer: socket.socket, image: int, seconds: tuple[float, float]) -> None:
        self._peer = peer
        self._image = image
        self._cpu_s, self._wall_s = seconds
        self._held = 0
        self._frame: Callable[[int], Pixels] | None = None

    def run(self) -> None:
        """Say that this process is ready, and serve."""
        self._peer.send(json.dumps({"ready": os.getpid()}).encode())
        while message := self._peer.recv(_LARGEST_REQUEST):
            self._watch(self._cpu_s, self._wall_s)
            try:
                answer, pixels = self._answer(json.loads(message))
            except Rejected as exc:
                answer, pixels = {"rejected": str(exc)}, None
            except MemoryError:
                answer, pixels = {"exhausted": True}, None
                self._held, self._frame = 0, None
            self._send(answer, pixels)
            self._watch(0, 0)

    def _watch(self, cpu_s: float, wall_s: float) -> None:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, wall_s)

    def _answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], Pixels | None]:
        if request["do"] == "frame":
            if self._frame is None or self._held != request["object"]:
                return {"gone": True}, None
            return self._described(self._frame(request["frame"]))
        self._frame = None
        part10 = self._read(request["length"])
        if request["do"] == "decode":
            return self._described(decode(part10))
        self._frame, self._held = open_frames(part10), request["object"]
        return {"opened": True}, None

    def _read(self, length: int) -> bytes:
        part10 = os.pread(self._image, length, 0)
        while len(part10) < length:  # one call takes 2 GiB at most
            part10 += os.pread(self._image, length - len(part10), len(part10))
        return part10

    def _described(self, pixels: Pixels) -> tuple[dict[str, Any], Pixels]:
        image_hw = pixels.image_hw
        return {
            "shape": image_hw.shape,
            "dtype": image_hw.dtype.str,
            "inverted": pixels.inverted,
            "lowest": pixels.lowest,
            "grey": len(pixels.grey),
            "frame": pixels.frame,
        }, pixels

    def _send(self, answer: dict[str, Any], pixels: Pixels | None) -> None:
        message = json.dumps(answer).encode()
        if pixels is None:
            self._peer.send(message)
            return
        memory = os.memfd_create("pixels", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        try:
            for part in (pixels.image_hw, pixels.grey):
                _write(memory, np.ascontiguousarray(part).data.cast("B"))
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
            socket.send_fds(self._peer, [message], [memory])
        finally:
            os.close(memory)


def _write(memory: int, view: memoryview) -> None:
    while view:
        view = view[os.write(memory, view) :]


def main(peer: int, image: int, memory_bytes: int, cpu_s: float, wall_s: float) -> None:
    """Take the limits on, and serve."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the owner says when to end, by going away
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with socket.socket(fileno=peer) as sock:
        Server(sock, image, (cpu_s, wall_s)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
