"""The decoding child with codecs that fail as the image says: `python -m tests.fakes.bad_codecs ...`, as the child is.

An image that holds one of the words of `DEEDS` makes the codec do that; any other is decoded.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from agent.dicom import decoding_child

MODULE: Final = "tests.fakes.bad_codecs"


def _loop() -> None:
    while True:
        pass


def _unsealed() -> None:
    decoding_child._SEALS = 0  # type: ignore[misc]  # final, but for this test


def _nonsense() -> None:
    decoding_child.Server._described = lambda _, pixels: ({"shape": [10**6, 10**6], "dtype": "<u2"}, pixels)  # type: ignore


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killed_once() -> None:
    marker = Path(os.environ["SENTINODE_TEST_MARKER"])
    if not marker.exists():
        marker.touch()
        _killed()


DEEDS: Final[dict[str, Callable[[], Any]]] = {
    "deed: segfault": lambda: ctypes.string_at(0),
    "deed: abort": os.abort,
    "deed: exit": lambda: os._exit(3),
    "deed: unforeseen": lambda: 1 / 0,
    "deed: loop": _loop,
    "deed: sleep": lambda: time.sleep(3600),
    "deed: eat": lambda: bytearray(1 << 40),
    "deed: killed": _killed,
    "deed: once killed": _killed_once,
    "deed: unsealed": _unsealed,
    "deed: nonsense": _nonsense,
}


def misbehaving(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Do what an image says, then decode it."""

    def decode_or_fail(part10: bytes) -> Any:
        for word, do in DEEDS.items():
            if word.encode() in part10:
                do()
        return decode(part10)

    return decode_or_fail


if __name__ == "__main__":
    decoding_child.decode = misbehaving(decoding_child.decode)
    peer, image, memory_bytes, cpu_s, wall_s = sys.argv[1:]
    decoding_child.main(int(peer), int(image), int(memory_bytes), float(cpu_s), float(wall_s))
