"""Decoding in a process of its own, with bounds: a codec that crashes, hangs or eats memory costs one image.

The child lives as long as its owner and is started anew when it dies. An image goes to it, and its pixels come back,
in memory that both see; what it answers is JSON and numbers, never something that could run here.
"""

import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Final, NoReturn

import numpy as np
import structlog

from agent.core.errors import Rejected
from agent.dicom.pixels import Pixels

START_S: Final = 60.0
GRACE_S: Final = 5.0
CHILD: Final = "agent.dicom.decoding_child"

_LARGEST_MESSAGE: Final = 1 << 16
_KEPT_BYTES: Final = 64 << 20  # of the memory in which images go over: most are smaller
_TOO_LONG: Final = frozenset({signal.SIGALRM, signal.SIGPROF})
_SEALED: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE
_DTYPES: Final = {dtype: dtype for dtype in ("|u1", "|i1", "<u2", "<i2")}
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one image may take. The memory is that of the whole child."""

    memory_bytes: int = 4 << 30
    cpu_s: float = 20.0
    wall_s: float = 60.0


class DecoderFailed(RuntimeError):
    """The child does not even start: nothing can be decoded here."""


class Decoder:
    """Decodes as `agent.dicom.pixels` does, in a child. One thread uses it at a time.

    Parameters
    ----------
    bounds
        Of each image.
    child
        The module that the child runs.
    """

    def __init__(self, bounds: Bounds | None = None, child: str = CHILD) -> None:
        self._bounds = bounds or Bounds()
        self._module = child
        self._child: _Child | None = None
        self._numbers = count(1)

    def __enter__(self) -> "Decoder":
        self._child = self._child or _Child(self._bounds, self._module)  # it gets ready while its owner does
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.end()
        self._child = None

    def decode(self, part10: bytes) -> Pixels:
        """Decode as `agent.dicom.pixels.decode`.

        Raises
        ------
        Rejected
            As there, and if the image takes more time or memory than it may, or the decoder crashes on it.
        DecoderFailed
            If there is no decoder.
        """
        return _pixels(*self._ask({"do": "decode"}, part10))

    def open_frames(self, part10: bytes) -> Callable[[int], Pixels]:
        """Open as `agent.dicom.pixels.open_frames`; the child holds one object at a time. Both raise as `decode`."""
        number = next(self._numbers)
        opening = {"do": "open", "object": number}
        self._ask(opening, part10)

        def frame(wanted: int) -> Pixels:
            asked = {"do": "frame", "object": number, "frame": wanted}
            answer, memory = self._ask(asked)
            if "gone" in answer:  # another object was opened since, or the child is a new one
                self._ask(opening, part10)
                answer, memory = self._ask(asked)
            return _pixels(answer, memory)

        return frame

    def _ask(self, request: Mapping[str, Any], part10: bytes = b"") -> "_Answer":
        """Have a request answered; twice if somebody killed the child, who may have meant another image."""
        try:
            return self._ask_once(request, part10)
        except _Died as died:
            if died.by is not signal.SIGKILL:
                _reject(died)
        try:
            return self._ask_once(request, part10)
        except _Died as died:
            _reject(died)

    def _ask_once(self, request: Mapping[str, Any], part10: bytes) -> "_Answer":
        if self._child is None:
            self._child = _Child(self._bounds, self._module)
        try:
            answer, memory = self._child.answer(request, part10)
        except _Died as died:
            self._child.end()
            self._child = None
            _log.warning("decoder_died", reason=str(died))
            raise
        if "exhausted" in answer:
            raise Rejected("the image cannot be decoded: it takes too much memory")
        if "rejected" in answer:
            raise Rejected(str(answer["rejected"]))
        return answer, memory


_Answer = tuple[Mapping[str, Any], mmap.mmap | None]


class _Died(Exception):
    """The child ended, by a signal or by itself."""

    def __init__(self, by: int) -> None:
        self.by = signal.Signals(-by) if by < 0 else None
        super().__init__(self.by.name if self.by else f"exit code {by}")


def _reject(died: _Died) -> NoReturn:
    if died.by in _TOO_LONG:
        raise Rejected("the image cannot be decoded: it takes too long") from None
    raise Rejected(f"the image cannot be decoded: the decoder crashes on it ({died})") from None


class _Child:
    """The process, the socket to it, and the memory in which images go to it."""

    def __init__(self, bounds: Bounds, module: str) -> None:
        self._bounds = bounds
        self._is_ready = False
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._image = os.memfd_create("image")
        limits = [str(bounds.memory_bytes), str(bounds.cpu_s), str(bounds.wall_s)]
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", module, str(its.fileno()), str(self._image), *limits],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # codecs write there what they find
                pass_fds=(its.fileno(), self._image),
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )

    def answer(self, request: Mapping[str, Any], part10: bytes) -> _Answer:
        """Send a request and wait for its answer. Raises _Died, and DecoderFailed if it never lived."""
        if not self._is_ready:
            self._wait_until_ready()
        self._put(part10)
        try:
            self._socket.send(json.dumps({**request, "length": len(part10)}).encode())
            answer = self._receive(self._bounds.wall_s + GRACE_S)
        except (ConnectionError, TimeoutError):
            raise self._death() from None
        if len(part10) > _KEPT_BYTES:
            os.ftruncate(self._image, 0)
        return answer

    def _wait_until_ready(self) -> None:
        try:
            self._receive(START_S)
        except (ConnectionError, TimeoutError):
            died = self._death()
            if died.by is signal.SIGKILL:
                raise died from None
            raise DecoderFailed(f"the decoder does not start: {died}") from None
        self._is_ready = True

    def _put(self, part10: bytes) -> None:
        view, at = memoryview(part10), 0
        while at < len(view):
            at += os.pwrite(self._image, view[at:], at)

    def _receive(self, seconds: float) -> _Answer:
        self._socket.settimeout(seconds)
        message, descriptors, _, _ = socket.recv_fds(self._socket, _LARGEST_MESSAGE, 1)
        if not message:
            raise ConnectionResetError
        return json.loads(message), _mapped(descriptors[0]) if descriptors else None

    def _death(self) -> _Died:
        try:
            return _Died(self._process.wait(GRACE_S / 5))
        except subprocess.TimeoutExpired:  # it is not dead, and does not answer
            self._process.kill()
            self._process.wait()
            return _Died(-signal.SIGALRM)

    def end(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        os.close(self._image)


def _mapped(descriptor: int) -> mmap.mmap:
    """Map what the child filled; it must be sealed, so that it never changes or shrinks while it is used here."""
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALED != _SEALED:
            raise ConnectionResetError
        return mmap.mmap(descriptor, 0, mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ)
    finally:
        os.close(descriptor)


def _pixels(answer: Mapping[str, Any], memory: mmap.mmap | None) -> Pixels:
    """Lay the pixels out; they stay where they are. A child that a codec confused is believed nothing."""
    try:
        height, width = answer["shape"]
        dtype = np.dtype(_DTYPES[answer["dtype"]])
        image_hw = np.frombuffer(memory or b"", dtype, height * width).reshape(height, width)
        grey = np.frombuffer(memory or b"", np.uint8, answer["grey"], image_hw.nbytes)
        return Pixels(image_hw, bool(answer["inverted"]), int(answer["lowest"]), grey, int(answer["frame"]))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise Rejected("the image cannot be decoded: the decoder says nonsense") from None
