"""Undoing the deflation of a dataset (PS3.5 A.5) where a bomb harms nobody: in a process of its own, with bounds.

Run as a script it inflates what comes on standard input to standard output, if that is at most so many bytes; it is
started by its path, without any package, which takes some milliseconds. Deflated objects are rare.
"""

import resource
import subprocess
import sys
import zlib
from typing import Final

CPU_S: Final = 10
WALL_S: Final = 20.0
_SPARE_BYTES: Final = 96 << 20  # the interpreter itself
_PART_BYTES: Final = 1 << 20
_DAMAGED, _TOO_LARGE, _ENDS_EARLY = 65, 66, 67  # exit codes


def inflate(payload: bytes | memoryview, limit_bytes: int) -> bytes:
    """Undo the deflation of a dataset, refusing one that grows beyond a limit.

    Raises
    ------
    Rejected
        If the stream is damaged, ends early, or grows beyond `limit_bytes`.
    """
    from agent.core.errors import Rejected  # only here: the child knows no packages

    if len(payload) > 2 * limit_bytes:  # deflation makes nothing twice as long
        raise Rejected(f"the deflated dataset is larger than {limit_bytes >> 20} MiB")
    command = [sys.executable, "-I", "-S", __file__, str(limit_bytes), str(len(payload))]
    try:
        ended = subprocess.run(command, input=payload, capture_output=True, timeout=WALL_S, check=False)  # noqa: S603 - our own file
    except subprocess.TimeoutExpired:
        raise Rejected("the deflated dataset takes too long to inflate") from None
    if ended.returncode == 0:
        return ended.stdout
    if ended.returncode == _TOO_LARGE:
        raise Rejected(f"the deflated dataset is larger than {limit_bytes >> 20} MiB")
    if ended.returncode == _ENDS_EARLY:
        raise Rejected("the deflated dataset ends early")
    raise Rejected("the deflated dataset is damaged")


def main(limit_bytes: int, length: int) -> int:
    """Inflate standard input in this process, which gets no more memory than that can take; return the exit code."""
    _limit(resource.RLIMIT_AS, 3 * limit_bytes + 2 * length + _SPARE_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_S)
    stream, parts, left = zlib.decompressobj(-zlib.MAX_WBITS), [], limit_bytes
    rest = sys.stdin.buffer.read()
    try:
        while left and not stream.eof and (part := stream.decompress(rest, min(left, _PART_BYTES))):
            rest, left = stream.unconsumed_tail, left - len(part)
            parts.append(part)
    except zlib.error:
        return _DAMAGED
    if not stream.eof:
        return _ENDS_EARLY if left else _TOO_LARGE
    sys.stdout.buffer.writelines(parts)
    return 0


def _limit(what: int, most: int) -> None:
    """Set a limit, or keep one that is lower: whoever decodes has limits of its own."""
    hard = resource.getrlimit(what)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
