"""Objects that cannot be used, copied out for a person to look at: the file, and its reason beside it."""

import json
import os
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from agent.core.errors import Transient
from agent.record.held import held, remove, taken_bytes

_STEPS = 16


class Quarantine:
    """A folder of `<sha256>.dcm` files, each with `<sha256>.json`; the reason is written last.

    Parameters
    ----------
    max_bytes
        Most bytes that they take together; for more the oldest go first. A single object that is larger is not copied:
        its reason stands alone. Of several processes that write to one folder, each may go over it by a sixteenth.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._allowed = 0  # bytes that may be written before the folder is looked through again

    def keep(
        self,
        part10: Iterable[bytes | memoryview],
        sha256: str,
        reason: str,
        *,
        size: int,
        received_at: datetime,
        sop_class_uid: str,
    ) -> Path:
        """Copy an object out, durably; keeping it twice changes nothing. Returns the path of its file.

        Parameters
        ----------
        part10
            The object as a DICOM file, piece after piece.
        sha256
            Digest of the dataset as received, in lower-case hexadecimal: the file's name.
        reason
            Why it was quarantined. It must hold no patient data.
        size
            Bytes of all pieces together.

        Raises
        ------
        ValueError
            If `sha256` is not a digest.
        Transient
            If the folder cannot be written.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError("not a SHA-256 digest")
        path = self._folder / f"{sha256}.dcm"
        about = {"reason": reason, "received_at": received_at.isoformat(), "sop_class_uid": sop_class_uid}
        note = json.dumps(about, indent=1).encode()
        is_copied = taken_bytes(size) + taken_bytes(len(note)) <= self._max_bytes
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if is_copied and not path.exists():
                self._make_room(taken_bytes(size), sha256)
                _write(path, part10)
            if not path.with_suffix(".json").exists():
                self._make_room(taken_bytes(len(note)), sha256)
                _write(path.with_suffix(".json"), [note])
        except OSError as exc:
            raise Transient(f"the quarantine folder cannot be written: {exc.strerror}") from exc
        return path

    def _make_room(self, needed: int, sha256: str) -> None:
        """Let the oldest go where the folder would take more than it may; never what is being kept now."""
        if needed > self._allowed:
            step = self._max_bytes // _STEPS
            kept = sorted(held(self._folder), key=lambda one: one.changed_ns)
            taken = sum(one.size for one in kept)
            for oldest in kept:
                if taken + needed + step <= self._max_bytes:
                    break
                if oldest.sha256 != sha256:
                    remove(self._folder, oldest)
                    taken -= oldest.size
            self._allowed = min(needed + step, self._max_bytes - taken)
        self._allowed -= needed


def _write(target: Path, content: Iterable[bytes | memoryview]) -> None:
    """Write a file that is there whole or not at all, also after a loss of power."""
    partial = target.with_suffix(target.suffix + ".partial")
    with open(partial, "wb") as file:
        for piece in content:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
