"""Objects that cannot be used, copied out for a person to look at: the file, and its reason beside it."""

import json
import os
import re
from datetime import datetime
from pathlib import Path

from agent.core.errors import Transient


class Quarantine:
    """A folder of `<sha256>.dcm` files, each with `<sha256>.json`; the reason is written last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, part10: bytes, sha256: str, reason: str, *, received_at: datetime, sop_class_uid: str) -> Path:
        """Copy an object out, durably; keeping it twice changes nothing. Returns the path of its file.

        Parameters
        ----------
        part10
            The object as a DICOM file.
        sha256
            Digest of the dataset as received, in lower-case hexadecimal: the file's name.
        reason
            Why it was quarantined. It must hold no patient data.

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
        note = {"reason": reason, "received_at": received_at.isoformat(), "sop_class_uid": sop_class_uid}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for target, content in ((path, part10), (path.with_suffix(".json"), json.dumps(note, indent=1).encode())):
                if not target.exists():
                    _write(target, content)
        except OSError as exc:
            raise Transient(f"the quarantine folder cannot be written: {exc.strerror}") from exc
        return path


def _write(target: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also after a loss of power."""
    partial = target.with_suffix(target.suffix + ".partial")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
