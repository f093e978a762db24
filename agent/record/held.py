"""What lies in the quarantine's folder: told by the names that it gives, nothing else is counted or removed."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.core.errors import Transient

_BLOCK: Final = 4096
_NAME: Final = re.compile(r"([0-9a-f]{64})\.(?:dcm|json)(?:\.partial)?")


@dataclass(frozen=True, slots=True)
class Held:
    """An object with its reason, or one of both: the names of its files, the bytes they take, when one changed last."""

    sha256: str
    files: tuple[str, ...] = ()
    size: int = 0
    changed_ns: int = 0


def taken_bytes(size: int) -> int:
    """Return what a file of that size takes: whole blocks, and one for its name, so that empty ones count too."""
    return (-(-size // _BLOCK) + 1) * _BLOCK


def held(folder: Path) -> Sequence[Held]:
    """Return what a folder holds, in no order; nothing where there is no folder.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    found: dict[str, Held] = {}
    if not folder.exists():
        return ()
    with os.scandir(folder) as entries:
        for entry in entries:
            if not (name := _NAME.fullmatch(entry.name)):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # another process removed or renamed it just now
                continue
            one = found.get(name[1], Held(name[1]))
            found[name[1]] = replace(
                one,
                files=(*one.files, entry.name),
                size=one.size + taken_bytes(status.st_size),
                changed_ns=max(one.changed_ns, status.st_mtime_ns),
            )
    return tuple(found.values())


def remove(folder: Path, one: Held) -> None:
    """Remove an object and its reason, the reason last; what is gone already is no error. Raises OSError."""
    for name in sorted(one.files):
        (folder / name).unlink(missing_ok=True)


def count_held(folder: Path) -> tuple[int, int]:
    """Return how many objects are in quarantine, and the bytes that they take. Raises Transient."""
    try:
        kept = held(folder)
    except OSError as exc:
        raise Transient(f"the quarantine folder cannot be read: {exc.strerror}") from exc
    return len(kept), sum(one.size for one in kept)
