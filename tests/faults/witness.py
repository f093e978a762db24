"""What the outside world sees: archives that remember what they were asked to store, and objects read by themselves."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread

from agent.core.patient import PatientKey
from agent.core.result import Kind as ObjectKind
from agent.core.result import ResultObject
from agent.dimse.part10 import split
from demo.archive import Archive
from tests.faults.evidence import Bytes, Leak, Made


class WitnessArchive(Archive):
    """An archive that remembers the digest of every C-STORE request, and whose Patient ID was retired by then."""

    def __init__(self, ae_title: str, folder: Path) -> None:
        self.requests: list[Bytes] = []
        self.leaks: list[Leak] = []
        self.is_retired: Callable[[PatientKey], bool] = lambda patient: False
        self._read: dict[Path, Bytes] = {}
        super().__init__(ae_title, folder)

    def _on_store(self, event: Any) -> int:
        uid, dataset = str(event.request.AffectedSOPInstanceUID), event.encoded_dataset(include_meta=False)
        self.requests.append(Bytes(uid, hashlib.sha256(dataset).hexdigest()))
        if self.is_retired(_named(event.encoded_dataset())):
            self.leaks.append(Leak(uid, datetime.now(UTC)))
        return super()._on_store(event)

    def kept(self) -> frozenset[Bytes]:
        """What lies in its folder."""
        paths = set(self.folder.glob("*.dcm"))
        self._read = {path: self._read.get(path) or _bytes(path.read_bytes()) for path in paths}
        return frozenset(self._read.values())

    def forget(self) -> None:
        """Read every file again with the next look."""
        self._read.clear()


def made_of(one: ResultObject) -> Made:
    """Return a result object as it speaks for itself."""
    return Made(one.role, _bytes(one.encoded), _predecessor(one), _named(one.encoded), one.instead_of)


def _named(part10: bytes) -> PatientKey:
    """Read from an object itself whom it names."""
    header = dcmread(BytesIO(part10), specific_tags=["PatientID", "IssuerOfPatientID"], stop_before_pixels=True)
    return PatientKey(str(header.get("IssuerOfPatientID", "")), str(header.get("PatientID", "")))


def _predecessor(one: ResultObject) -> str:
    """Read from the object itself which one it supersedes (PS3.3 C.17.2); empty if none."""
    if one.kind is ObjectKind.SECONDARY_CAPTURE:
        return ""
    header = dcmread(BytesIO(one.encoded), specific_tags=["PredecessorDocumentsSequence"])
    studies = header.get("PredecessorDocumentsSequence", [])
    references = [
        ref for study in studies for series in study.ReferencedSeriesSequence for ref in series.ReferencedSOPSequence
    ]
    return " ".join(str(ref.ReferencedSOPInstanceUID) for ref in references)


def _bytes(encoded: bytes) -> Bytes:
    part = split(encoded)
    return Bytes(part.sop_instance_uid, hashlib.sha256(part.dataset).hexdigest())
